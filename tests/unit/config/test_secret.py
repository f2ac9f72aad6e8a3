"""A secret is in a file or in the environment; whatever is wrong with it, the error has its place and never itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from mm_monitor.config import check_config, load_config
from mm_monitor.errors import ConfigError
from mm_monitor.secret import is_place, read_secret, variable_of

KEY = "mqtt.password_file"


def test_a_file_is_read_without_the_newline_that_editors_add(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(" s3cret \n")
    assert read_secret(KEY, str(tmp_path / "secret")) == " s3cret "


def test_a_variable_is_read_the_same_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MQTT_PASSWORD", " s3cret \r\n")
    assert read_secret(KEY, "env:MQTT_PASSWORD") == " s3cret "


def test_a_file_may_be_called_like_a_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("env:X").write_text("of the file")
    assert read_secret(KEY, "./env:X") == "of the file"
    with pytest.raises(ConfigError, match="an environment variable that is set"):
        read_secret(KEY, "env:X")


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (None, "an environment variable that is set, got 'env:MQTT_PASSWORD'"),
        ("", "an environment variable that is not empty, got 'env:MQTT_PASSWORD'"),
        ("\n", "an environment variable that is not empty, got 'env:MQTT_PASSWORD'"),
        ("s3cret\udcff", "an environment variable of UTF-8, got 'env:MQTT_PASSWORD'"),
    ],
)
def test_a_variable_that_holds_none_is_named_and_its_value_is_not(
    monkeypatch: pytest.MonkeyPatch, value: str | None, told: str
) -> None:
    if value is None:
        monkeypatch.delenv("MQTT_PASSWORD", raising=False)
    else:
        monkeypatch.setenv("MQTT_PASSWORD", value)
    with pytest.raises(ConfigError) as said:
        read_secret(KEY, "env:MQTT_PASSWORD")
    assert str(said.value) == f"{KEY}: {told}"


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (None, "a file that can be read (No such file or directory)"),
        (b"\n", "a file that is not empty"),
        (b"s3cret\xff", "a file of UTF-8"),
    ],
)
def test_a_file_that_holds_none_is_named_and_its_text_is_not(
    tmp_path: Path, data: bytes | None, told: str
) -> None:
    path = tmp_path / "secret"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(ConfigError) as said:
        read_secret(KEY, str(path))
    assert str(said.value) == f"{KEY}: {told}, got '{path}'"


@pytest.mark.parametrize("place", ["env:", "env:1", "env:A B", "env:A=b", "env:$A", "env:A\n"])
def test_a_variable_has_a_name_that_a_shell_can_set(place: str) -> None:
    assert not is_place(place)


def test_places() -> None:
    assert variable_of("env:A_1") == "A_1"
    assert variable_of("secrets/env:A") is None
    assert is_place("env:_a")
    assert is_place("")


def test_only_keys_for_secrets_look_into_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("B", raising=False)
    monkeypatch.setenv("A", "s3cret-of-a")
    path = tmp_path / "monitor.toml"
    path.write_text(
        '[reference]\ndirectory = "."\n[kafka]\nsecurity_protocol = "SASL_SSL"\nsasl_username = "u"\n'
        'sasl_password_file = "env:A"\nssl_cafile = "env:A"\n'
        '[mqtt]\nusername = "u"\npassword_file = "env:B"\n'
        '[codecs]\nregistry_password_file = "env:B"\n'
    )
    kafka = load_config(path).kafka
    assert (kafka.sasl_password_file, kafka.ssl_cafile) == ("env:A", str(tmp_path / "env:A"))
    said = check_config(path)
    assert said == [
        f"{path}: kafka.ssl_cafile: a file that can be read, got '{tmp_path}/env:A'",
        f"{path}: codecs.registry_password_file: an environment variable that is set, got 'env:B'",
        f"{path}: mqtt.password_file: an environment variable that is set, got 'env:B'",
    ]
    assert "s3cret" not in str(said)
