"""Chat completions: the chunks, and the whole body."""

from tests.testing.fault_server.raw_client import events
from tickertape.core.events import Usage
from tickertape.testing.answers import Answer, ToolCall
from tickertape.testing.fault_server.chat import chat_body, chat_frames


def stream(call):
    return events(b"".join(frame.encode(b"\n") for frame in chat_frames(call)))


def deltas(chunks):
    return [
        (choice["index"], choice["delta"], choice["finish_reason"])
        for chunk in chunks
        if chunk != "[DONE]"
        for choice in chunk["choices"]
        if "delta" in choice
    ]


def test_openai_sends_role_text_finish_and_done(call):
    """Each chunk with the fields that its clients need."""
    chunks = stream(call())
    assert {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1_700_000_000,
        "model": "m",
        "system_fingerprint": "fp_faultserver",
        "choices": [{"index": 0, "delta": {"content": "Hello"}, "finish_reason": None}],
    } == chunks[1]
    assert [
        (0, {"role": "assistant", "content": "", "refusal": None}, None),
        (0, {"content": "Hello"}, None),
        (0, {"content": " world"}, None),
        (0, {}, "stop"),
    ] == deltas(chunks)
    assert "[DONE]" == chunks[-1]


def test_azure_sends_the_prompts_annotations_first(call):
    """In a chunk without choices, whose other fields are empty."""
    first = stream(call(flavor="azure"))[0]
    (prompt,) = first.pop("prompt_filter_results")
    assert {"choices": [], "created": 0, "id": "", "model": "", "object": ""} == first
    assert {"filtered": False, "severity": "safe"} == prompt["content_filter_results"]["hate"]


def test_azure_annotates_each_chunk(call):
    """Empty where there is no text."""
    chunks = stream(call(flavor="azure"))[1:-1]
    found = [list(chunk["choices"][0]["content_filter_results"]) for chunk in chunks]
    safe = ["hate", "self_harm", "sexual", "violence"]
    assert [[], safe, safe, []] == found


def test_prompt_annotations_can_be_given_or_left_out(call):
    """On either flavor."""
    given = Answer(prompt_filter_results={"jailbreak": {"detected": True}})
    (prompt,) = stream(call(given))[0]["prompt_filter_results"]
    assert {"jailbreak": {"detected": True}} == prompt["content_filter_results"]
    none = Answer(prompt_filter_results=None)
    assert "prompt_filter_results" not in stream(call(none, flavor="azure"))[0]


def test_usage_comes_last_when_asked_for(call):
    """And every other chunk says null."""
    chunks = stream(call(wants_usage=True))[:-1]
    assert [None] * 4 == [chunk["usage"] for chunk in chunks[:-1]]
    assert [] == chunks[-1]["choices"]
    assert 2 == chunks[-1]["usage"]["completion_tokens"]
    assert all("usage" not in chunk for chunk in stream(call())[:-1])


def test_usage_that_is_none_is_not_sent(call):
    """A provider that says nothing of it."""
    chunks = stream(call(Answer(text="x", usage=None), wants_usage=True))
    assert {"stop"} == {choice[2] for choice in deltas(chunks[-2:])}


def test_given_usage_is_sent(call):
    """All numbers of it."""
    usage = Usage(
        input_tokens=3,
        output_tokens=4,
        total_tokens=7,
        cached_input_tokens=1,
        reasoning_tokens=2,
    )
    sent = stream(call(Answer(usage=usage), wants_usage=True))[-2]["usage"]
    assert {
        "prompt_tokens": 3,
        "completion_tokens": 4,
        "total_tokens": 7,
        "prompt_tokens_details": {"cached_tokens": 1},
        "completion_tokens_details": {"reasoning_tokens": 2},
    } == sent


def test_choices_come_interleaved(call):
    """In either order."""
    order = [choice[0] for choice in deltas(stream(call(n=2)))]
    assert [0, 1] * 4 == order
    descending = Answer(text="Hello world", choice_order="descending")
    assert [1, 0] * 4 == [choice[0] for choice in deltas(stream(call(descending, n=2)))]


def test_reasoning_refusal_and_tool_calls_have_their_own_deltas(call):
    """Reasoning under the name that the answer chooses."""
    answer = Answer(
        reasoning="Hm.",
        reasoning_field="reasoning",
        refusal="No.",
        tool_calls=(
            ToolCall(name="f", arguments=('{"a"', ":1}")),
            ToolCall(name="g", arguments="", id="call_x"),
        ),
    )
    assert [
        {"reasoning": "Hm."},
        {"refusal": "No."},
        {
            "tool_calls": [
                {
                    "index": 0,
                    "id": "call_0",
                    "type": "function",
                    "function": {"name": "f", "arguments": ""},
                }
            ]
        },
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"a"'}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": ":1}"}}]},
        {
            "tool_calls": [
                {
                    "index": 1,
                    "id": "call_x",
                    "type": "function",
                    "function": {"name": "g", "arguments": ""},
                }
            ]
        },
        {},
    ] == [delta for _, delta, _ in deltas(stream(call(answer)))[1:]]


def test_late_annotations_cover_the_text_without_a_gap(call):
    """They have no delta, their offsets join, and the last one comes after the finish reason."""
    answer = Answer(words=20, filters="async")
    chunks = stream(call(answer, flavor="azure"))[1:-1]
    late = [chunk for chunk in chunks if "delta" not in chunk["choices"][0]]
    reach = [chunk["choices"][0]["content_filter_offsets"] for chunk in late]
    length = sum(len(delta.get("content", "")) for _, delta, _ in deltas(chunks))
    assert [0, *(entry["end_offset"] for entry in reach)] == [
        *(entry["start_offset"] for entry in reach),
        length,
    ]
    assert [entry["end_offset"] for entry in reach] == [entry["check_offset"] for entry in reach]
    assert "stop" == chunks[-2]["choices"][0]["finish_reason"]
    assert late[-1] == chunks[-1]
    assert ("", "", "") == (late[0]["id"], late[0]["object"], late[0]["model"])


def test_a_late_block_is_a_finish_without_a_delta(call):
    """As Azure sends it."""
    answer = Answer(text="x", filters="async", finish_reason="content_filter")
    (blocked,) = [
        chunk["choices"][0]
        for chunk in stream(call(answer))[:-1]
        if chunk["choices"][0]["finish_reason"]
    ]
    assert "delta" not in blocked
    assert {"detected": True, "filtered": True} == blocked["content_filter_results"][
        "protected_material_text"
    ]


def test_a_block_on_each_chunk_says_which_category(call):
    """In the chunk with the finish reason."""
    answer = Answer(text="x", finish_reason="content_filter")
    last = stream(call(answer, flavor="azure"))[-2]["choices"][0]
    assert ({}, "content_filter") == (last["delta"], last["finish_reason"])
    assert last["content_filter_results"]["violence"]["filtered"]


def test_the_whole_body_is_the_stream_joined(call):
    """For requests that want no stream."""
    answer = Answer(text="Hello world", reasoning="Hm.", tool_calls=(ToolCall(name="f"),))
    body = chat_body(call(answer, flavor="azure"))
    assert "chat.completion" == body["object"]
    assert "prompt_filter_results" in body
    (choice,) = body["choices"]
    assert "tool_calls" == choice["finish_reason"]
    assert {
        "role": "assistant",
        "content": "Hello world",
        "refusal": None,
        "reasoning_content": "Hm.",
        "tool_calls": [
            {"id": "call_0", "type": "function", "function": {"name": "f", "arguments": "{}"}}
        ],
    } == choice["message"]
    assert body["usage"]["completion_tokens"] == 4
