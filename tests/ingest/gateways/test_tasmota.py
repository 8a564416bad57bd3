from zoneinfo import ZoneInfo

from ingest.readings import Rules
from tests.ingest.gateways.probing import lines_of, refusal_of, times_of, values_of

SENSOR = "tele/plug/SENSOR"
LOCAL = "2018-07-17T18:59:50"


def test_a_sensor_is_a_level() -> None:
    sent = {
        "Time": LOCAL,
        "ENERGY": {"TotalStartTime": "2018-01-01T00:00:00", "Total": 1.956, "Power": [9, 3]},
        "DS18B20-1": {"Id": "0316", "Temperature": 20.1},
        "TempUnit": "C",
    }
    assert values_of(sent, SENSOR) == {
        "ENERGY/TotalStartTime": "2018-01-01T00:00:00",
        "ENERGY/Total": 1.956,
        "ENERGY/Power/0": 9,
        "ENERGY/Power/1": 3,
        "DS18B20-1/Id": 316,
        "DS18B20-1/Temperature": 20.1,
        "TempUnit": "C",
    }


def test_a_local_time_is_in_the_zone_of_the_site() -> None:
    sent = {"Time": LOCAL, "ENERGY": {"Power": 9}}
    paris = Rules(zone_of=lambda _topic: ZoneInfo("Europe/Paris"))
    assert times_of(sent, SENSOR) == {"2018-07-17T18:59:50.000000Z"}
    assert times_of(sent, SENSOR, paris) == {"2018-07-17T16:59:50.000000Z"}


def test_the_epoch_says_the_time_in_utc() -> None:
    paris = Rules(zone_of=lambda _topic: ZoneInfo("Europe/Paris"))
    sent = {"Time": LOCAL, "Epoch": 1_531_846_790, "Dimmer": 75}
    assert times_of(sent, SENSOR, paris) == {"2018-07-17T16:59:50.000000Z"}
    assert values_of(sent) == {"Dimmer": 75}
    assert times_of({"Time": 1_531_846_790, "Dimmer": 75}) == {"2018-07-17T16:59:50.000000Z"}


def test_a_state_is_texts_and_numbers() -> None:
    sent = {"Time": LOCAL, "Uptime": "0T00:10:11", "POWER": "OFF", "Wifi": {"RSSI": 42}}
    found = values_of(sent, "tele/plug/STATE")
    assert found == {"Uptime": "0T00:10:11", "POWER": "OFF", "Wifi/RSSI": 42}


def test_an_answer_to_status_has_the_time_of_its_sensors() -> None:
    sent = {"StatusSNS": {"Time": LOCAL, "SI7021": {"Temperature": 17.7}}, "Status": {"Power": 1}}
    lines = {line["metric"]: line for line in lines_of(sent, "stat/plug/STATUS8")}
    assert lines["StatusSNS/SI7021/Temperature"]["source_time"] == "2018-07-17T18:59:50.000000Z"
    assert lines["Status/Power"]["source_time"] is None


def test_a_result_without_a_time_is_a_plain_object() -> None:
    assert values_of({"POWER": "ON"}, "stat/plug/RESULT") == {"POWER": "ON"}
    assert times_of({"POWER": "ON"}) == {None}


def test_the_last_will_is_a_text() -> None:
    (line,) = lines_of("Offline", "tele/plug/LWT")
    assert (line["metric"], line["text"], line["source_time"]) == ("LWT", "Offline", None)


def test_a_time_alone_is_refused() -> None:
    assert refusal_of({"Time": LOCAL}, "stat/plug/RESULT").code == "wrong_shape"
