import pytest

from tests.ingest.gateways.probing import found_in, lines_of, refusal_of

TIME = 1_586_076_045_524
ONE = {"device": "root.sg.d1", "timestamp": TIME, "measurements": ["s1", "s2"], "values": [1, "a"]}
SEVERAL = {
    "device": "root.sg.d1",
    "timestamps": [TIME, TIME + 1],
    "measurements": ["s1", "s2"],
    "values": [[1, 2.5], [None, True]],
}


def test_a_device_sends_its_measurements_at_one_time() -> None:
    assert found_in(ONE) == [("root.sg.d1/s1", 1, "GOOD"), ("root.sg.d1/s2", "a", "GOOD")]
    times = {line["source_time"] for line in lines_of(ONE)}
    assert times == {"2020-04-05T08:40:45.524000Z"}


def test_a_device_sends_a_list_of_values_for_each_time() -> None:
    assert found_in(SEVERAL) == [
        ("root.sg.d1/s1", 1, "GOOD"),
        ("root.sg.d1/s1", None, "BAD"),
        ("root.sg.d1/s2", 2.5, "GOOD"),
        ("root.sg.d1/s2", 1, "GOOD"),
    ]
    assert [line["source_time"] for line in lines_of(SEVERAL)][:2] == [
        "2020-04-05T08:40:45.524000Z",
        "2020-04-05T08:40:45.525000Z",
    ]


def test_a_list_of_devices_is_read_like_each_of_them() -> None:
    alone = sorted([*found_in(ONE), *found_in(SEVERAL)], key=str)
    assert sorted(found_in([ONE, SEVERAL]), key=str) == alone


def test_the_device_is_a_level_once() -> None:
    tags = [line["tag"] for line in lines_of(ONE, "root.sg.d1")]
    assert tags == ["root.sg.d1/s1", "root.sg.d1/s2"]


@pytest.mark.parametrize(
    ("broken", "code"),
    [
        ({**ONE, "values": [1]}, "ragged"),
        ({**SEVERAL, "values": [[1, 2]]}, "ragged"),
        ({**SEVERAL, "values": [[1, 2], [3]]}, "ragged"),
        ({**SEVERAL, "values": [[1, 2], 3]}, "ragged"),
        ({**SEVERAL, "timestamps": [], "values": []}, "wrong_shape"),
        ({**SEVERAL, "measurements": [], "values": [[], []]}, "wrong_shape"),
        ({**ONE, "measurements": [{}, "s2"]}, "wrong_shape"),
        ({**SEVERAL, "values": [[1, {}], [1, 2]]}, "wrong_shape"),
        ([ONE, 5], "wrong_shape"),
        (
            {
                **SEVERAL,
                "timestamps": [1],
                "measurements": [f"s{n}" for n in range(1001)],
                "values": [[0] * 1001],
            },
            "too_big",
        ),
        ({**SEVERAL, "timestamps": [1] * 40_000, "values": [[1, 2]] * 40_000}, "too_big"),
    ],
)
def test_a_broken_device_is_refused(broken: object, code: str) -> None:
    assert refusal_of(broken).code == code
