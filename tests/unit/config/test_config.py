"""Each file in `tests/data/config` is named by its defect and opens with the messages it gets."""

from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import pytest

from mm_monitor.config import (
    SECTIONS,
    Config,
    check_config,
    load_config,
    load_rulebooks,
    parse_config,
)
from mm_monitor.errors import ConfigErrors, InputError
from mm_monitor.rulebooks import names

DEFECTS = sorted(Path("tests/data/config").glob("conf.*.toml"))
MS, S = 10**6, 10**9


def messages(path: Path) -> list[str]:
    """The comment lines that open a file."""
    lines = path.read_text().splitlines()
    body = next(i for i, line in enumerate(lines) if not line.startswith("# "))
    return [line.removeprefix("# ") for line in lines[:body]]


@pytest.mark.parametrize("path", DEFECTS, ids=lambda path: path.name)
def test_a_defect_is_named_with_path_requirement_and_value(path: Path) -> None:
    with pytest.raises(ConfigErrors) as caught:
        load_config(path)
    found = [str(error).removeprefix(f"{path}: ") for error in caught.value.errors]
    expected = messages(path)
    if path.name == "conf.no-toml.toml":  # the words are those of the standard library
        assert found[0].startswith("TOML: ")
        assert "line 2" in found[0]
        return
    assert found == expected
    assert check_config(path) == [f"{path}: {message}" for message in expected]


def test_there_are_enough_defects() -> None:
    assert len(DEFECTS) >= 30


def test_an_empty_file_is_the_defaults() -> None:
    config = parse_config(b"")
    assert config == Config()
    assert config.kafka.bootstrap == "127.0.0.1:9092"
    assert config.kafka.partitions == ()
    assert (config.tape.lateness, config.tape.idle_after) == (200 * MS, 500 * MS)
    assert (config.tape.max_ahead, config.publish.every) == (5 * S, 200 * MS)
    assert config.rulebooks.names == ("szse-2025",)


def test_a_section_given_in_part_keeps_its_other_defaults() -> None:
    config = parse_config(b'[tape]\nlateness = "250us"\n[kafka]\npartitions = [3, 1]\n')
    assert config.tape.lateness == 250_000
    assert config.tape.silent_after == 30 * S
    assert config.kafka.partitions == (1, 3)


def test_a_config_is_frozen() -> None:
    name = "lateness"
    with pytest.raises(FrozenInstanceError):
        setattr(Config().tape, name, 1)


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    file = tmp_path / "monitor.toml"
    file.write_text(
        '[reference]\ndirectory = "names"\n[journal]\ndirectory = "/var/journal"\n'
        '[rulebooks]\nnames = ["szse-2025", "own.toml", "./book"]\n'
    )
    config = load_config(file)
    assert config.reference.directory == str(tmp_path / "names")
    assert config.journal.directory == "/var/journal"
    assert config.dead_letter.file == ""
    assert config.rulebooks.names == (
        "szse-2025",
        str(tmp_path / "own.toml"),
        str(tmp_path / "book"),
    )


def test_every_key_has_a_default_and_a_line_of_documentation() -> None:
    for section in SECTIONS.values():
        section()
        for f in fields(section):
            doc = f.metadata["key"].doc
            assert doc[-1] in ".?", f"{section.__name__}.{f.name}"
            assert "\n" not in doc


def test_no_key_holds_a_secret() -> None:
    keys = [f.name for section in SECTIONS.values() for f in fields(section)]
    assert [key for key in keys if "password" in key and not key.endswith("_file")] == []


# Files that the config names ----------------------------------------------------------------------

BOOK = 'id = "own"\nversion = 1\nsource = "example"\n[presence]\nrequired = "90%"\n'


def checked(directory: Path, text: str) -> list[str]:
    file = directory / "monitor.toml"
    file.write_text(text)
    return [line.replace(f"{directory}/", "") for line in check_config(file)]


def test_a_sound_config_has_nothing_wrong(tmp_path: Path) -> None:
    assert checked(tmp_path, "") == []


def test_a_config_that_is_not_there(tmp_path: Path) -> None:
    file = tmp_path / "monitor.toml"
    assert check_config(file) == [f"{file}: No such file or directory"]
    with pytest.raises(InputError):
        load_config(file)


def test_a_rulebook_that_is_not_there_or_not_sound(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text(BOOK.replace('"90%"', "90"))
    found = checked(tmp_path, '[rulebooks]\nnames = ["szse-1999", "bad.toml"]\n')
    assert found == [
        "monitor.toml: rulebooks.names[0]: a rulebook file, or one of "
        f"{', '.join(names())}, got 'szse-1999'",
        'monitor.toml: rulebooks.names[1]: bad.toml: presence.required: a percentage such as "3%" '
        'or "99.5%", got 90',
    ]


def test_a_calendar_that_nobody_has(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(BOOK)
    assert checked(tmp_path, '[rulebooks]\nnames = ["own.toml"]\n') == [
        "monitor.toml: rulebooks.names[0]: a rulebook with a calendar, for phases = "
        '"calendar"; own.toml has none'
    ]
    assert checked(tmp_path, '[rulebooks]\nnames = ["own.toml"]\nphases = "feed"\n') == []
    config = load_config(tmp_path / "monitor.toml")
    assert [rulebook.id for rulebook in load_rulebooks(config)] == ["own"]


def test_two_rulebooks_of_one_id(tmp_path: Path) -> None:
    for name in ("a.toml", "b.toml"):
        (tmp_path / name).write_text(BOOK)
    text = '[rulebooks]\nnames = ["a.toml", "b.toml"]\nphases = "feed"\n'
    assert checked(tmp_path, text) == [
        "monitor.toml: rulebooks.names[1]: an id of its own: own is rulebooks.names[0]"
    ]


def test_files_that_are_not_there(tmp_path: Path) -> None:
    text = (
        '[reference]\ndirectory = "names"\n[mqtt]\nusername = "m"\npassword_file = "secret"\n'
        '[kafka]\nssl_cafile = "ca.pem"\n[dead_letter]\nfile = "made-when-needed.jsonl"\n'
    )
    assert checked(tmp_path, text) == [
        "monitor.toml: kafka.ssl_cafile: a file that can be read, got 'ca.pem'",
        "monitor.toml: reference.directory: a directory that is there, got 'names'",
        "monitor.toml: mqtt.password_file: a file that can be read (No such file or directory), got 'secret'",
    ]
    (tmp_path / "names").mkdir()
    for name in ("secret", "ca.pem"):
        (tmp_path / name).write_text("s3cret\n")
    assert checked(tmp_path, text) == []


def test_a_rulebook_in_its_place_is_called_one() -> None:
    with pytest.raises(ConfigErrors) as raised:
        parse_config(b'id = "mine"\nversion = 1\n[presence]\nrequired = "90%"\n', file="mine.toml")
    assert str(raised.value).startswith(
        "mine.toml: file: a configuration of the service; this is a rulebook"
    )
