"""Where the diagnosis draws its lines: all thresholds, what they mean, and why they are so."""

from dataclasses import dataclass, fields

from mixtures import checks


@dataclass(frozen=True)
class Thresholds:
    """The thresholds of a diagnosis.

    Attributes
    ----------
    rhat : float
        R-hat above which chains disagree, where draws are many: 1.01, as Vehtari et al. (2021),
        doi:10.1214/20-BA1221, recommend. Chance alone lifts it to sqrt(1 + q / ess), ess being the
        effective draws of half a chain and q a quantile of chi-square over its degrees of freedom:
        with few draws that is the alarm.
    rhat_few : float
        The alarm with fewest draws: 1.1, the older rule, which nobody calls converged. Where chance
        would lift even independent draws above it, there are too few to tell.
    false_alarm : float
        The chance that a trace of independent draws raises any alarm at all.
    odds : float
        Odds to one at which a draw is said to have changed its labels.
    overlap : float
        Share of draws from which on two components overlap: in these their exchange is a matter of
        at most a quarter of the usual log odds. Where the posterior has one hump the share is 12 %
        or more, with humps 4 standard deviations apart it is 6 %.
    pure : float
        A chain with this share of its draws under one labelling is said to sit in it, overlap or
        not.
    empty : float
        A component that most draws give less weight than this takes part in name only: its other
        parameters follow the prior. Not so where its draws stand well apart from those of all
        others, as a rare group's do.
    diverging : float
        Share of draws that diverged from which on the run has failed, whatever else is seen. Fewer
        are told, with the place where they lie.

    Raises
    ------
    ValueError
        If a share is not between 0 and 1, or an R-hat or the odds not above 1.
    """

    rhat: float = 1.01
    rhat_few: float = 1.1
    false_alarm: float = 1e-3
    odds: float = 20.0
    overlap: float = 0.05
    pure: float = 0.98
    empty: float = 0.01
    diverging: float = 0.01

    def __post_init__(self) -> None:
        for name in (field.name for field in fields(self)):
            value = checks.numbers(getattr(self, name), name)
            low, high = (1, float("inf")) if name in ("rhat", "rhat_few", "odds") else (0, 1)
            if value.ndim or not low < value < high:
                raise ValueError(f"{name}: expected a number between {low} and {high}, got {value}")


STANDARD = Thresholds()
