"""Rules of privacy, from the configuration to the bytes on the disk."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from contracts.errors import ConfigError
from gainline import flow
from gainline.checks.doctor import check_settings
from gainline.cli import run
from gainline.config import wiring
from gainline.config.connection import cautions
from gainline.config.loading import Settings, StoreSection, load
from gainline.config.private import privacy_of
from gainline.config.sections import PrivacySection, PrivateSection
from gainline.ending import EXIT_WRONG_CONFIGURATION
from gainline.flow import Bench
from ingest.blocks import Received
from ingest.journal import Journal
from ingest.sources import Sources
from store.query import fetch
from store.sums.rolling import roll_up
from store.upkeep.maintain import maintain

TS = 1_767_225_600_000
KEY = "3f0c5b3d0e7d4b0f8c0c2f6f0c9e7a11"
# Of so many digits that no hash of a segment has them by chance.
SECRETS = (b"anna", b"47110815", b"Geheimnis")
SEGMENT_BYTES = 1 << 16
RULES = (
    PrivateSection(pattern="lyon/gate/*", pseudonymise=("tag", "value"), levels=(3,)),
    PrivateSection(pattern="lyon/*/operator", drop=("tag",)),
    PrivateSection(pattern="lyon/*/note", drop=("text",)),
)


def settings_of(store: Path, *rules: PrivateSection) -> Settings:
    privacy = PrivacySection(key=KEY, rules=rules, gateways=("phone-*",))  # type: ignore[arg-type]
    return Settings(store=StoreSection(folder=str(store)), privacy=privacy)


def secret_messages() -> list[tuple[str, bytes]]:
    """Names and values of people in topics, payloads, gateways and what cannot be read."""
    many = [
        (
            f"lyon/press{number % 3}",
            {"gateway": "phone-anna", "epoch": "e", "seq": number, "ts": TS + number}
            | {"operator": 47110815, "force": number},
        )
        for number in range(600)
    ]
    few = [
        ("lyon/gate/anna/in", {"ts": TS, "value": "Geheimnis"}),
        ("lyon/gate/anna/in", {"ts": TS + 1, "value": 47110815}),
        ("lyon/gate/anna", {"ts": [TS, TS + 1], "out": [47110815, 2]}),
        ("lyon/press0/note", {"ts": TS, "value": "anna: Geheimnis"}),
        ("lyon/press0", {"gateway": "phone-anna", "epoch": "e", "seq": 601, "ts": TS, "force": 1}),
    ]
    readable = [(topic, json.dumps(one).encode()) for topic, one in [*many, *few, few[0]]]
    return [
        *readable,
        ("lyon/gate/anna/in", b'{"anna": 47110815'),
        ("lyon/other", b'{"anna": 47110815'),
    ]


def store_all(settings: Settings, messages: list[tuple[str, bytes]]) -> None:
    """Take messages through a journal of small files into the lake, and judge them."""
    folder = Path(settings.store.folder)
    with wiring.open_lake(settings, writer="ingest") as lake:
        begin = lake.ingest_progress().position
        with Journal.open(
            folder / "journal",
            limit_bytes=16 * SEGMENT_BYTES,
            first_position=begin,
            segment_bytes=SEGMENT_BYTES,
        ) as journal:
            intake = flow.Intake(Sources(journal), lake, wiring.how_to_read(settings))
            for start in range(0, len(messages), 200):
                part = messages[start : start + 200]
                journal.append([Received(*one, TS * 1000, retained=False) for one in part])
                intake.store_new()
    with wiring.open_lake(settings, writer="judge") as lake:
        bench = Bench(lake, wiring.rule_for(settings), wiring.judge_settings(settings))
        while bench.judge_new(TS * 1000):
            pass
        bench.finish()


def files_with(root: Path) -> set[str]:
    """Name the files that hold a secret, by the first folder below the store."""
    return {
        path.relative_to(root).parts[0]
        for path in root.rglob("*")
        if path.is_file() and any(secret in path.read_bytes() for secret in SECRETS)
    }


def one_value(store: Path, sql: str) -> object:
    return fetch(store, sql).columns[0].to_pylist()[0]


def test_no_byte_of_what_is_private_is_in_the_lake_nor_in_the_journal_once_it_is_trimmed(
    tmp_path: Path,
) -> None:
    store = tmp_path / "store"
    settings = settings_of(store, *RULES)
    store_all(settings, secret_messages())
    while roll_up(store):
        pass
    assert files_with(store) == {"journal"}
    ledger = fetch(store, "SELECT * FROM ledger ORDER BY received").to_pylist()
    assert [tuple(row.values())[1:] for row in ledger] == [(7, 4, 1, 2), (601, 601, 0, 0)]
    assert one_value(store, "SELECT sum(readings) FROM left_out") == 600
    assert one_value(store, "SELECT count(*) FROM readings WHERE metric = 'force'") == 601
    assert one_value(store, "SELECT count(*) FROM gaps WHERE gateway LIKE 'p-%'") == 1
    assert one_value(store, "SELECT count(DISTINCT tag) FROM readings WHERE tag ^@ 'lyon/g'") == 2
    filler = [("lyon/quiet", b'{"ts": %d, "x": %d}' % (TS + n, n)) for n in range(3000)]
    store_all(settings, filler)
    assert files_with(store) == set()


def test_the_same_messages_are_found_in_the_store_without_rules(tmp_path: Path) -> None:
    store = tmp_path / "store"
    store_all(settings_of(store), secret_messages())
    assert {"data", "journal"} <= files_with(store)


def test_what_is_left_out_is_counted_after_the_ledger_was_summed_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "store"
    store_all(settings_of(store, *RULES), secret_messages())
    monkeypatch.setattr("store.upkeep.maintain.FOLD_FROM", 2)
    maintain(store, now=datetime.now(UTC))
    assert one_value(store, "SELECT sum(readings) FROM left_out") == 600


def test_probe_shows_what_would_be_stored(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = tmp_path / "key"
    key.write_text(KEY + "\n")
    config = tmp_path / "gainline.toml"
    config.write_text(
        f"[privacy]\nkey_file = '{key}'\n[[privacy.rules]]\npattern = 'lyon/gate/*'\n"
        "pseudonymise = ['tag', 'value']\nlevels = [3]\n"
        "[[privacy.rules]]\npattern = '*/operator'\ndrop = ['tag']\n"
    )
    payload = tmp_path / "payload"
    payload.write_text('{"ts": 1767225600000, "in": "anna", "operator": 47110815}')
    words = ["probe", "--topic", "lyon/gate/anna", str(payload), "--config", str(config)]
    assert run(words) == 0
    shown = capsys.readouterr()
    (line,) = [json.loads(line) for line in shown.out.splitlines()]
    privacy = privacy_of(settings_of(tmp_path).privacy)
    assert privacy is not None
    name = privacy.pseudonym("anna")
    assert (line["tag"], line["metric"], line["text"]) == (f"lyon/gate/{name}/in", "in", name)
    assert "1 readings are left out" in shown.err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[privacy.rules]]\npattern = 'a'\n", "it does nothing; say what to drop"),
        ("[[privacy.rules]]\npattern = 'a'\nlevels = [1]\ndrop = ['text']\n", "it has levels; say"),
        (
            "[[privacy.rules]]\npattern = 'a'\npseudonymise = ['tag']\nlevels = [0]\n",
            "no level is 0",
        ),
        ("[[privacy.rules]]\npattern = 'a'\npseudonymise = ['tag']\n", "pseudonyms need a key"),
        ("[privacy]\ngateways = ['phone-*']\n", "pseudonyms need a key"),
        ("[privacy]\ngateways = ['a']\nkey = 'short'\n", "the key has 5 bytes"),
        ("[privacy]\ngateways = ['a']\nkey_file = '/nowhere/key'\n", "/nowhere/key cannot be read"),
        (f"[privacy]\ngateways = ['a']\nkey = '{KEY}'\nkey_file = 'key'\n", "give one of them"),
        ("[[privacy.rules]]\npattern = 'a'\ndrop = ['value']\n", "privacy.rules.drop"),
    ],
)
def test_a_mistake_in_the_rules_is_named(tmp_path: Path, text: str, words: str) -> None:
    config = tmp_path / "gainline.toml"
    config.write_text(text)
    with pytest.raises(ConfigError) as raised:
        check_settings(load(config, environment={}))
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_rule_that_drops_needs_no_key() -> None:
    rule = PrivateSection(pattern="*", drop=("tag",))
    check_settings(Settings(privacy=PrivacySection(rules=(rule,))))


def test_who_reads_no_broker_needs_no_key() -> None:
    settings = Settings(privacy=PrivacySection(gateways=("a",)))
    check_settings(settings, connects=False)
    with pytest.raises(ConfigError):
        check_settings(settings)


def test_the_key_is_taken_from_the_environment_as_it_stands_and_never_shown() -> None:
    settings = load(None, environment={"GAINLINE__PRIVACY__KEY": f'"{KEY}"'})
    assert settings.privacy.key == f'"{KEY}"'
    assert KEY not in repr(settings)


def test_a_key_that_everybody_can_read_is_doubtful(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text(KEY)
    key.chmod(0o644)
    settings = Settings(privacy=PrivacySection(key_file=str(key)))
    assert any("privacy.key_file" in words for words in cautions(settings))


def test_check_config_says_that_the_key_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "gainline.toml"
    config.write_text("[privacy]\ngateways = ['phone-*']\n")
    assert run(["check-config", "--config", str(config)]) == EXIT_WRONG_CONFIGURATION
    assert "privacy.key_file: pseudonyms need a key" in capsys.readouterr().err
