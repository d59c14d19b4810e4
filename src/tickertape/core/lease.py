"""Leases: who may write which runs, for how long, and when somebody else may.

Pure: `now` is passed in. A *holder* is one process; its one lease covers every run
that it writes, so that it is renewed in one call, however many they are. A run
remembers its holder and an epoch, which rises with every take over.
"""

from __future__ import annotations

from tickertape.core.errors import LeaseHeld, StaleEpoch


class Leases:
    """The leases of all holders. Times are in seconds on one clock."""

    def __init__(self) -> None:
        self._expires_at: dict[str, float] = {}

    def renew(self, holder: str, *, now: float, term_s: float) -> bool:
        """Grant or renew a lease; return False if it had run out since the last time."""
        expired_at = self._expires_at.get(holder)
        self._expires_at[holder] = now + term_s
        return expired_at is None or now < expired_at

    def release(self, holder: str) -> None:
        """End a lease at once. Safe to repeat."""
        self._expires_at.pop(holder, None)

    def has_lapsed(self, holder: str | None, *, now: float) -> bool:
        """Tell whether the holder's lease has run out, was released or never was.

        A run without a holder is leased to nobody, and never lapses.
        """
        return holder is not None and not now < self._expires_at.get(holder, now)

    def require_free(
        self, run_id: str, *, held_by: str | None, held: int, holder: str, epoch: int, now: float
    ) -> None:
        """Return if `holder` may take over a run that `held_by` holds with the epoch `held`.

        `epoch` is the one that the caller knows of: of two who want the run, one gets it.
        A holder may take over from itself, which gives it a new epoch.

        Raises:
            StaleEpoch: somebody has taken it over meanwhile.
            LeaseHeld: its holder's lease has not run out.
        """
        if epoch != held:
            raise StaleEpoch(held=epoch, current=held)
        if held_by != holder and not self.has_lapsed(held_by, now=now):
            raise LeaseHeld(run_id)
