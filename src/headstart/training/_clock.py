"""The time a run may take."""

import time
from typing import Final, final

from headstart.errors import BudgetError
from headstart.training._settings import Settings

# A prediction from less is not worth stopping for.
STEPS_BEFORE_PREDICTING, SECONDS_BEFORE_PREDICTING = 3, 1.0
OVERRUN: Final = 1.1  # of the time given; what is nearly done is worth ending


@final
class Clock:
    """Stops a run that is late, or that will be.

    Args:
        deadline: `time.monotonic` value, or None.
        settings: Of the run.
        name: Of the run.
    """

    def __init__(self, deadline: float | None, settings: Settings, name: str) -> None:
        self._deadline, self._settings, self._name = deadline, settings, name
        self._started = time.monotonic()
        self._last = self._started + OVERRUN * ((deadline or 0.0) - self._started)
        self._warm: tuple[float, int] | None = None

    def late(self, step: int) -> BudgetError | None:
        """Compare the time with the deadline after a step that is not the last.

        Args:
            step: Steps taken.

        Returns:
            What to raise where it is too late or bound to be, else None.
        """
        now, left = time.monotonic(), self._settings.steps - step
        if self._deadline is None:
            return None
        # The first step is slower than the rest; a rate that counts it would refuse what fits.
        since, before = self._warm = self._warm or (now, step)
        per_step = (now - since) / max(1, step - before)
        few = step - before < STEPS_BEFORE_PREDICTING or now - since < SECONDS_BEFORE_PREDICTING
        if few or self._settings.patience is not None:  # where patience may end it early, nobody can tell
            too_long = now > self._last
        else:
            too_long = now + per_step * left > self._last
        return self._error(step, (per_step or now - self._started) * left, now) if too_long else None

    def _error(self, step: int, needed: float, now: float) -> BudgetError:
        assert self._deadline is not None
        return BudgetError(
            f"after {step} of {self._settings.steps} steps about {needed:.0f} s more are needed and the budget leaves "
            f"{max(0.0, self._deadline - now):.0f} s",
            where=self._name,
            fix=f"Give {int(1.3 * needed) + 30} s more, or train fewer blocks.",
        )
