from structlog.testing import capture_logs

from contracts.batches import RAW_SCHEMA, DeadLetter, RawBatch, RawCommit
from gainline.running import telling
from gainline.running.telling import Alarms


def commit(*reasons: str, restarted: tuple[tuple[str, str], ...] = ()) -> RawCommit:
    letters = [DeadLetter(at, "t", b"", reason, 0, "g") for at, reason in enumerate(reasons)]
    nothing = RawBatch(RAW_SCHEMA.empty_table())
    return RawCommit(nothing, tuple(letters), (), 1, 0, b"", restarted=restarted)


def test_too_many_tags_are_an_alarm_that_names_the_gateway_and_the_remedy_once() -> None:
    alarms = Alarms()
    with capture_logs() as logs:
        for _ in range(3):
            alarms.look_at(commit("too_many_tags: more", "not_json: at 1", "too_many_tags: more"))
    (said,) = logs
    assert (said["event"], said["gateway"], said["dead_letters"]) == ("too_many_tags", "g", 2)
    assert said["log_level"] == "error"
    assert "ingest.tags_per_gateway_max" in said["remedy"]


def test_an_epoch_that_is_used_twice_is_an_alarm() -> None:
    with capture_logs() as logs:
        Alarms().look_at(commit(restarted=(("g", "e"),)))
    assert [(one["event"], one["epoch"]) for one in logs] == [("epoch_used_twice", "e")]


def test_a_sender_that_makes_names_up_does_not_fill_the_log() -> None:
    alarms = Alarms()
    with capture_logs() as logs:
        for number in range(2 * telling.ALARMS_MAX):
            alarms.look_at(commit(restarted=((f"g{number}", "e"),)))
    assert len(logs) == telling.ALARMS_MAX
