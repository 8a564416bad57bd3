from pathlib import Path

import pytest

from contracts.errors import ConfigError
from gainline.checks.doctor import check_settings
from gainline.config import wiring
from gainline.config.example_file import EXAMPLE, write_example
from gainline.config.loading import Settings, load, with_options
from gainline.config.mistakes import naming_place
from ingest.readings import Limits
from ingest.topics import DEFAULT_TEMPLATE


def written(folder: Path, text: str) -> Path:
    path = folder / "gainline.toml"
    path.write_text(text)
    return path


def test_the_example_holds_every_key_at_its_default() -> None:
    assert load(EXAMPLE, environment={}) == Settings()


def test_a_default_of_a_key_is_the_default_of_the_room_that_takes_it() -> None:
    assert wiring.limits(Settings().ingest) == Limits()
    assert Settings().ingest.templates == (DEFAULT_TEMPLATE,)


def test_no_file_means_defaults() -> None:
    assert load(None, environment={}) == Settings()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[store]\ncommit_intervals = 3\n", ":2: unknown key store.commit_intervals; did you mean"),
        ("[stor]\nfolder = 'x'\n", ":1: unknown key stor; did you mean store?"),
        (
            "\n[store]\ncommit_interval_s = 'soon'\n",
            ":3: store.commit_interval_s: must be a number",
        ),
        ("[page]\nport = 99999\n", ":2: page.port: must be a whole number <= 65535"),
        (
            "[[schedule]]\nname = 'a/b'\ncron = '* * * * *'\n",
            ":2: schedule.name: must be a text in quotes of letters",
        ),
        ("[[upgrades]]\nline = 'a'\nupgraded_on = 'May'\n", ":3: upgrades.upgraded_on"),
        ("[[tags]]\npattern = 'a'\n[[tags]]\npattern = 'b'\nlow = 'x'\n", ":5: tags.low: must"),
        ("[broker]\n[store]  # where\nfoldr = 'x'\n", ":3: unknown key store.foldr"),
        ("[[upgrades]]\nline = 'a'\n", ":1: upgrades: the key upgraded_on is missing"),
        ("[log]\nlevel = 'loud'\n", ":2: log.level: must be one of debug, info, warning, error"),
        ("[store]\nfolder = ''\n", ":2: store.folder: must be a text in quotes that is not empty"),
        ("[broker]\ntopics = []\n", ":2: broker.topics: must be"),
        ("[economics]\nprice_per_unit = inf\n", ":2: economics.price_per_unit: must be a number"),
        ("[store\n", "not valid TOML"),
    ],
)
def test_a_wrong_key_is_named_with_file_line_and_fix(tmp_path: Path, text: str, words: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ConfigError) as raised:
        load(path, environment={})
    assert str(raised.value).startswith(str(path))
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_missing_file_is_named() -> None:
    with pytest.raises(ConfigError, match="no such file; `gainline init` writes one"):
        load(Path("nowhere.toml"), environment={})


def test_the_environment_overrides_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, "[store]\ncommit_interval_s = 2\nfolder = 'a'\n")
    settings = load(
        path,
        environment={
            "GAINLINE__STORE__COMMIT_INTERVAL_S": "4",
            "GAINLINE__BROKER__TOPICS": '["plant/#", "x"]',
            "GAINLINE__LOG__LEVEL": "debug",
            "HOME": "/nowhere",
        },
    )
    assert settings.store.commit_interval_s == 4.0
    assert settings.store.folder == "a"
    assert settings.broker.topics == ("plant/#", "x")
    assert settings.log.level == "debug"


def test_an_unknown_name_in_the_environment_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"store\.comit; did you mean store\.commit_interval_s"):
        load(None, environment={"GAINLINE__STORE__COMIT": "4"})


def test_a_mistake_in_the_environment_names_the_variable_and_not_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, "[store]\ncommit_interval_s = 2\n")
    with pytest.raises(ConfigError) as raised:
        load(path, environment={"GAINLINE__STORE__COMMIT_INTERVAL_S": "soon"})
    name, _, rest = str(raised.value).partition(": ")
    assert name == "GAINLINE__STORE__COMMIT_INTERVAL_S"
    assert rest == "store.commit_interval_s: must be a number, not a text in quotes"


def test_a_text_in_the_environment_may_look_like_a_number() -> None:
    settings = load(None, environment={"GAINLINE__BROKER__CLIENT_ID": "5"})
    assert settings.broker.client_id == "5"


def test_a_table_of_own_names_in_the_environment_is_a_table_of_toml() -> None:
    settings = load(None, environment={"GAINLINE__INGEST__ZONES": '{ "l/*" = "Europe/Paris" }'})
    assert settings.ingest.zones == {"l/*": "Europe/Paris"}


def test_a_file_that_an_editor_began_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    path = written(tmp_path, "\ufeff[store]\nfolder = 'x'\n")
    assert load(path, environment={}).store.folder == "x"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[ingest]\nzone = 'Mars/Base'\n", ":2: ingest.zone"),
        ("[ingest]\ndepth_max = 3\ntemplates = ['{site}']\n", ":3: ingest.templates"),
        ("[ingest]\n[ingest.zones]\nlyon = 'Paris'\n", ":2: ingest.zones"),
        ("[[schedule]]\ncron = 'soon'\nname = 'weekly'\n", ":3: schedule weekly"),
    ],
)
def test_what_only_a_check_finds_is_named_with_its_line(
    tmp_path: Path, text: str, words: str
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ConfigError) as raised, naming_place(path):
        check_settings(load(path, environment={}))
    assert str(raised.value).startswith(f"{path}{words}")


@pytest.mark.parametrize("line", ["journal_limit_mb = 63", "payload_bytes_max = 8388609"])
def test_a_journal_that_could_not_take_a_payload_is_refused(tmp_path: Path, line: str) -> None:
    path = written(tmp_path, f"[ingest]\n{line}\n")
    with pytest.raises(ConfigError) as raised:
        load(path, environment={})
    assert str(raised.value).startswith(
        f"{path}:2: ingest.{line.split(maxsplit=1)[0]}: must be a whole number"
    )


def test_the_command_line_has_the_last_word() -> None:
    settings = with_options(Settings(), broker="mqtt://h:1", store=Path("s"), topics=["t/#"])
    assert settings.broker.url == "mqtt://h:1"
    assert settings.store.folder == "s"
    assert settings.broker.topics == ("t/#",)
    assert with_options(Settings()) == Settings()


def test_init_writes_once_and_never_over_a_file(tmp_path: Path) -> None:
    path = write_example(tmp_path / "new")
    assert load(path, environment={}) == Settings()
    path.write_text("mine")
    with pytest.raises(ConfigError, match="is there already"):
        write_example(tmp_path / "new")
    assert path.read_text() == "mine"
