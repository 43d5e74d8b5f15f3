"""People's corrections are obeyed by runs that the sensor asks for, however old the trace, and taking one back is obeyed too."""

from collections.abc import Iterator

import dagster as dg
import pytest
from dagster._core.definitions.sensor_definition import SensorExecutionData

from intent_assets.commands.launch import QUIET
from intent_assets.definitions import build_definitions
from intent_assets.intents.reuse import PRECISION
from intent_assets.sensors import MAX_CORRECTION_TRIES
from intent_assets.settings import Settings
from intent_assets_tests.project import Project
from intent_assets_tests.traffic import DAYS, Message, messages


class Corrected:
    """A project with a first release, a label file that people edit, and the ticks of the sensor."""

    def __init__(self, project: Project, instance: dg.DagsterInstance) -> None:
        self.project, self.instance, self.cursor = project, instance, ""
        self.labels = project.root / "labels.csv"
        project.write(messages(12))
        project.run_well()
        self.tags = project.tags()

    @property
    def settings(self) -> Settings:
        return self.project.settings(labels=str(self.labels))

    def say(self, **said: str) -> None:
        """People's labels as the file has them from now on, read by the hourly job."""
        self.labels.write_text("\n".join(["trace_id,intent", *(f"{trace},{intent}" for trace, intent in said.items())]))
        self.project.run_well("read_corrections", None, settings=self.settings)

    def tick(self) -> SensorExecutionData:
        repository = build_definitions(self.settings).get_repository_def()
        context = dg.build_sensor_context(
            instance=self.instance, cursor=self.cursor, repository_def=repository, resources=repository.get_top_level_resources()
        )
        data = repository.get_sensor_def("corrections_sensor").evaluate_tick(context)
        self.cursor = data.cursor or self.cursor
        return data

    def execute(self, request: dg.RunRequest) -> None:
        job = build_definitions(self.settings).resolve_job_def("retag")
        assert job.execute_in_process(instance=self.instance, tags=request.tags, run_config=QUIET).success

    def obey(self) -> tuple[str, str]:
        """Run what a tick asks for; the range of days that it covered."""
        (request,) = self.tick().run_requests or []
        self.execute(request)
        return request.tags["dagster/asset_partition_range_start"], request.tags["dagster/asset_partition_range_end"]

    def intent_of(self, trace_id: str) -> tuple[str, str]:
        row = self.project.tags()[trace_id]
        return row["intent"], row["tag_source"]


@pytest.fixture
def corrected(project: Project) -> Iterator[Corrected]:
    with dg.instance_for_test() as instance:
        yield Corrected(project, instance)


def test_a_correction_is_obeyed_on_its_day_and_asked_for_once(corrected: Corrected) -> None:
    assert not corrected.tick().run_requests
    first, *_, other = [trace for trace, row in corrected.tags.items() if row["intent"]]
    wrong = corrected.tags[first]["intent"]
    right = next(row["intent"] for row in corrected.tags.values() if row["intent"] not in (None, wrong))
    day = str(corrected.tags[first]["timestamp"].date())
    corrected.say(**{first: right, other: corrected.tags[other]["intent"]})
    last_day = str(corrected.tags[other]["timestamp"].date())
    assert corrected.obey() == (min(day, last_day), max(day, last_day))
    assert corrected.intent_of(first) == (right, "person")
    assert not corrected.tick().run_requests
    corrected.say(**{other: corrected.tags[other]["intent"]})
    assert corrected.obey() == (day, day)
    assert corrected.intent_of(first) == (wrong, "classifier")
    assert not corrected.tick().run_requests


def test_a_failed_run_is_asked_for_again_but_not_for_ever(corrected: Corrected) -> None:
    trace = next(trace for trace, row in corrected.tags.items() if row["intent"])
    corrected.say(**{trace: next(row["intent"] for row in corrected.tags.values() if row["intent"] != corrected.tags[trace]["intent"])})
    keys = [request.run_key for _ in range(MAX_CORRECTION_TRIES + 2) for request in corrected.tick().run_requests or []]
    assert len(set(keys)) == len(keys) == MAX_CORRECTION_TRIES


def test_it_waits_for_a_run_in_flight(corrected: Corrected) -> None:
    trace = next(trace for trace, row in corrected.tags.items() if row["intent"])
    corrected.say(**{trace: next(row["intent"] for row in corrected.tags.values() if row["intent"] != corrected.tags[trace]["intent"])})
    run = corrected.instance.add_run(dg.DagsterRun(job_name="retag", status=dg.DagsterRunStatus.STARTED))
    assert "in flight" in (corrected.tick().skip_message or "")
    corrected.instance.report_run_failed(run, "gone")
    assert corrected.obey()[0] in DAYS


def test_a_trace_with_the_same_text_takes_the_correction_over_until_it_is_taken_back(corrected: Corrected) -> None:
    by_text: dict[str, list[Message]] = {}
    for message in messages(12):
        by_text.setdefault(message.text, []).append(message)
    first, twin = next((same[0], same[1]) for same in by_text.values() if len(same) > 1 and same[0].day != same[1].day)
    before = corrected.tags[twin.trace_id]
    right = next(row["intent"] for row in corrected.tags.values() if row["intent"] not in (None, before["intent"]))
    other = next(trace for trace, row in corrected.tags.items() if row["intent"] and trace not in (first.trace_id, twin.trace_id))
    corrected.say(**{first.trace_id: right, other: corrected.tags[other]["intent"]})
    begin, end = corrected.obey()
    assert begin <= min(first.day, twin.day) and max(first.day, twin.day) <= end
    assert corrected.intent_of(first.trace_id) == (right, "person")
    after = corrected.project.tags()[twin.trace_id]
    assert (after["intent"], after["tag_source"], after["confidence"]) == (right, "reuse", PRECISION["same"])
    assert after["top_intent_id"] == before["top_intent_id"], "the classifier's answer stays"
    assert after["margin"] == pytest.approx(before["margin"], abs=1e-6)
    assert not corrected.tick().run_requests
    again = corrected.project.run_well("retag", settings=corrected.settings)
    assert [again.metadata("tagged_traces", day)["n_decided_now"] for day in DAYS] == [0] * len(DAYS)
    assert again.metadata("tagged_traces", twin.day)["n_reused"] >= 1
    corrected.say(**{other: corrected.tags[other]["intent"]})
    corrected.obey()
    assert corrected.intent_of(twin.trace_id) == (before["intent"], before["tag_source"])
    assert not corrected.tick().run_requests
