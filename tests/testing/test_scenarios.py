"""Which request gets what, also from a file."""

import pytest

from tickertape.core.errors import ConfigurationError
from tickertape.testing.answers import Answer
from tickertape.testing.faults import Faults, Rejection
from tickertape.testing.scenarios import (
    Scenario,
    ScenarioCursor,
    Turn,
    load_scenario,
    scenario_of,
)

A, B, C = (Turn(answer=Answer(text=text)) for text in "abc")


def test_turns_come_in_order_and_the_last_one_repeats():
    """429 first, then success for ever."""
    cursor = ScenarioCursor(Scenario(turns=(A, B)))
    assert [A, B, B, B] == [cursor.next_turn("m") for _ in range(4)]


def test_a_model_has_its_own_turns_and_its_own_count():
    """Requests for others don't advance them."""
    cursor = ScenarioCursor(Scenario(turns=(A, B), models={"special": (B, C)}))
    names = ["special", "special", "m", "n", "special", "m"]
    assert [B, C, A, B, C, B] == [cursor.next_turn(name) for name in names]


def test_faults_and_answers_make_a_scenario_by_themselves():
    """A test need not wrap each one in a turn."""
    limited = Faults(failure=Rejection())
    expected = Scenario(turns=(Turn(faults=limited), A, B))
    assert expected == scenario_of(limited, A.answer, B)


def test_nothing_makes_a_scenario_without_faults():
    """A good answer, each time."""
    assert Scenario(turns=(Turn(),)) == scenario_of()


def test_a_scenario_among_others_is_refused():
    """It has its turns already."""
    with pytest.raises(ConfigurationError, match="stands alone"):
        scenario_of(Scenario(), Faults())


def test_a_scenario_without_turns_is_refused():
    """There would be nothing to answer."""
    with pytest.raises(ConfigurationError, match="at least one"):
        Scenario(models={"m": ()})


def test_a_file_is_read(tmp_path):
    """JSON under the names of the fields."""
    path = tmp_path / "scenario.json"
    path.write_text(
        '{"turns": [{"faults": {"failure": {"type": "rejection", "status": 429}}}, {}],'
        ' "models": {"slow": [{"faults": {"pace_s": 1}, "answer": {"text": "Hi"}}]}}'
    )
    expected = Scenario(
        turns=(Turn(faults=Faults(failure=Rejection(status=429))), Turn()),
        models={"slow": (Turn(faults=Faults(pace_s=1), answer=Answer(text="Hi")),)},
    )
    assert expected == load_scenario(path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "scenario.json: Input data was truncated"),
        ('{"turns": []}', r"at `\$.turns`"),
        ('{"turns": [{"faults": {"pase": 1}}]}', r"`pase` - at `\$.turns\[0\].faults`"),
    ],
)
def test_a_mistake_in_a_file_is_told_with_file_and_place(tmp_path, text, said):
    """An error of ours, which one can act on."""
    path = tmp_path / "scenario.json"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=said):
        load_scenario(path)


def test_a_missing_file_is_named(tmp_path):
    """With its path."""
    with pytest.raises(ConfigurationError, match=r"nowhere\.json"):
        load_scenario(tmp_path / "nowhere.json")
