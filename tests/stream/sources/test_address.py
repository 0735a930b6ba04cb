import contextlib
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ConfigError
from stream.sources import RealtimePace, open_source, redact
from stream.sources.address import take_query, with_escaped_credentials
from stream.sources.demo import DemoSource

SECRET = "Zx9Qq7"  # never part of anything else in these addresses
awkward = st.text("ab@:/?#&=%.!$ü ", max_size=6)
schemes = st.sampled_from(["rtsp", "rtsps", "rtmp", "http", "https"])


@given(schemes, awkward, awkward, st.sampled_from(["", ":554"]), st.sampled_from(["", "/a/b?x=1"]))
def test_a_password_is_never_shown_however_it_is_written(scheme, before, after, port, path) -> None:
    password = before + SECRET + after
    shown = redact(f"{scheme}://admin:{password}@camera.lan{port}{path}")
    assert SECRET not in shown
    assert shown == f"{scheme}://camera.lan{port}{path}"


@given(st.sampled_from(["token", "password", "pwd", "api_key", "auth", "Signature", "user"]))
def test_query_values_that_look_like_secrets_are_masked(key: str) -> None:
    shown = redact(f"http://camera.lan/live.m3u8?channel=1&{key}={SECRET}&x=2")
    assert shown == f"http://camera.lan/live.m3u8?channel=1&{key}=***&x=2"


@pytest.mark.parametrize(
    "url",
    [
        f"rtsp://camera.lan/user=admin&password={SECRET}&channel=1.sdp?real_stream",
        f"rtsp://camera.lan/user=admin_password={SECRET}_channel=1_stream=0.sdp",
        f"rtsp://camera.lan/channel=1_password={SECRET}_stream=0.sdp",
        f"http://camera.lan/live;password={SECRET}",
        f"http://camera.lan/live#token={SECRET}",
        f"http://camera.lan/live?token=a/b?{SECRET}",
        f"http://camera.lan/live?usr=admin&pw={SECRET}",
        f"rtsp:/admin:{SECRET}@camera.lan/live",
        f"admin:{SECRET}@camera.lan/live",
    ],
)
def test_a_password_is_not_shown_either_where_it_does_not_belong(url: str) -> None:
    shown = redact(url)
    assert SECRET not in shown
    assert "camera.lan" in shown
    assert redact(shown) == shown


@pytest.mark.parametrize(
    "url",
    [
        "rtsp://camera.lan:554/stream1?channel=2",
        "rtsp://[fd00::1]:554/stream1",
        "/home/me/porch.mp4",
        "file:porch.mp4?loop=1",
        "usb:0",
        "demo:shapes?seed=7",
        "rtsp://camera.lan/cam@1",
    ],
)
def test_an_address_without_secrets_is_shown_as_it_is(url: str) -> None:
    assert redact(url) == url


@given(awkward, st.text("ab@:%!", max_size=6))
def test_redacting_twice_changes_nothing_more(user: str, password: str) -> None:
    shown = redact(f"rtsp://{user}:{password}@camera.lan/x?token=1")
    assert redact(shown) == shown


@pytest.mark.parametrize("password", ["p@ss", "a:b:c", "p@:@s", "plain", "50%off", "ü"])
def test_raw_and_encoded_passwords_mean_the_same(password: str) -> None:
    expected = f"rtsp://me:{quote(password, '')}@camera.lan:554/x"
    assert with_escaped_credentials(f"rtsp://me:{password}@camera.lan:554/x") == expected
    assert with_escaped_credentials(expected) == expected


@pytest.mark.parametrize("url", ["rtsp://", "rtsp://u:Zx9Qq7@", "rtsp://u:Zx9Qq7/x@host:port/y"])
def test_an_address_without_a_host_is_refused_without_telling_the_password(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        open_source(url)
    assert SECRET not in str(caught.value)


@given(st.text(max_size=300))
def test_any_text_at_all_is_a_source_or_a_clear_refusal(url: str) -> None:
    for text in (url, f"rtsp://{url}", f"http://{url}", f"file:{url}", f"demo:{url}", "x" * 5000):
        with contextlib.suppress(ConfigError):
            assert open_source(text).label is not None


def test_our_own_query_keys_are_taken_out_and_the_others_left() -> None:
    url, own = take_query("rtsp://h/x?b=%20&transport=udp&c", "transport")
    assert (url, own) == ("rtsp://h/x?b=%20&c", {"transport": "udp"})
    assert take_query("rtsp://h/x?transport=udp", "transport")[0] == "rtsp://h/x"


@pytest.mark.parametrize("url", ["ftp://h/x", "concat:a|b", "rtp://h:1", "gopher://u:Zx9Qq7@h"])
def test_an_unknown_scheme_is_refused_and_the_allowed_ones_named(url: str) -> None:
    with pytest.raises(ConfigError, match=r"rtsp://.*usb:0.*demo:NAME") as caught:
        open_source(url)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "rtsp://h/x?transport=quic",
        "porch.mp4?loop=yes",
        "usb:first",
        "demo:shapes?seed=x",
        "demo:shapes?size=big",
        "demo:nowhere",
    ],
)
def test_a_value_that_is_not_allowed_is_refused_and_named(url: str) -> None:
    with pytest.raises(ConfigError):
        open_source(url)


def test_opening_contacts_nobody_and_tells_live_from_recorded() -> None:
    live = [
        "rtsp://h/x",
        "rtsps://h/x",
        "rtmp://h/x",
        "http://h/a.m3u8",
        "https://h/mjpeg",
        "usb:0",
    ]
    assert all(open_source(url).live for url in [*live, "demo:shapes"])
    assert not any(open_source(url).live for url in ["a.mp4", "file:/a.mp4", "https://h/a.mp4?x=1"])
    assert isinstance(open_source("demo:calm?seed=3", pace=RealtimePace()), DemoSource)
