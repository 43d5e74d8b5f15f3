"""Whether a hosted training job may be started, by what the vendor says that it will cost."""

from collections.abc import Callable

from intent_assets.errors import StopRun
from intent_assets.training_contracts import HostedJob

USD = "USD"


def refuse_to_pay(job: HostedJob, least_usd: float, budget_usd: float, may_be_unknown: bool, log: Callable[[str], object]) -> None:
    """Tell what a validated job will cost and how long it will take; return only when it may be started.

    An estimate that is missing, or in another currency, is not known in dollars: it is never taken for 0.

    Args:
        job: as the vendor sees it.
        least_usd: what any job costs at least.
        budget_usd: most that this one may cost.
        may_be_unknown: whether a job may start whose cost is not known.
        log: takes lines for people.

    Raises:
        StopRun: it may cost more than the budget.
    """
    known = job.cost if job.currency == USD else None
    log(f"Job {job.job_id}: estimated cost {_cost(job)}, at least ${least_usd:.2f} for any job; {_duration(job.expected_s)}.")
    due = least_usd if known is None else max(known, least_usd)
    if not due <= budget_usd:  # a NaN refuses
        raise StopRun(
            f"Job {job.job_id} would cost ${due:.2f}{' or more' if known is None else ''}: expected at most ${budget_usd:.2f}. It was not "
            f"started, nothing is paid. Set INTENT_RUN_BUDGET_USD={due:.2f} or more, with as much left of INTENT_BUDGET_USD; run again: "
            "the same job goes on."
        )
    if known is None and not may_be_unknown:
        raise StopRun(
            f"Job {job.job_id}: expected the vendor to say in US dollars what it will cost, came {_cost(job)}. It was not started, nothing "
            "is paid. Set INTENT_MISTRAL_START_UNKNOWN_COST=true to start it all the same."
        )


def _cost(job: HostedJob) -> str:
    if job.cost is None:
        return "not known"
    return f"${job.cost:.2f}" if job.currency == USD else f"{job.cost:.2f} {job.currency or 'of a currency that is not said'}"


def _duration(seconds: int | None) -> str:
    return "duration not known" if seconds is None else f"about {max(1, round(seconds / 60))} minutes"
