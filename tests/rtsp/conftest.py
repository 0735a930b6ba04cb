"""What the RTSP tests share: clips, servers, and the independent server from Debian."""

from __future__ import annotations

import datetime
import shutil
import ssl
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.needs import need
from tests.rtsp.media import write_counter_video
from tests.rtsp.server import Clip

_PROBE = (
    "import gi; gi.require_version('Gst', '1.0'); gi.require_version('GstRtspServer', '1.0'); "
    "from gi.repository import Gst, GstRtspServer; Gst.init(None); "
    "wanted = ('x264enc', 'x265enc', 'rtph264pay', 'h265parse'); "
    "missing = [name for name in wanted if not Gst.ElementFactory.find(name)]; "
    "assert not missing, missing"
)


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Clip]:
    """Two seconds each of H.264 and H.265, and H.264 of another size."""
    folder = tmp_path_factory.mktemp("clips")
    return {
        "h264": Clip(write_counter_video(folder / "h264.mp4")),
        "h265": Clip(write_counter_video(folder / "h265.mp4", "h265")),
        "large": Clip(write_counter_video(folder / "large.mp4", size=(640, 360), first=1000)),
    }


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """What a camera uses that has signed its own certificate."""
    path = tmp_path_factory.mktemp("tls") / "camera.pem"
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "camera")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


class GstServer:
    """The independent server as a process."""

    def __init__(self, *arguments: str) -> None:
        script = Path(__file__).with_name("gst_server.py")
        self._process = subprocess.Popen(
            ["/usr/bin/python3", str(script), *(arguments or ("0",))],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line.startswith("port "), "gst_server.py did not start"
        self.port = int(line.split()[1])

    def url(self, mount: str, login: str = "") -> str:
        """The address of /h264 or /h265."""
        return f"rtsp://{login}127.0.0.1:{self.port}/{mount}"

    def kill(self) -> None:
        """Ends the process at once; idempotent."""
        self._process.kill()
        self._process.wait(10)
        if self._process.stdout is not None:
            self._process.stdout.close()


@pytest.fixture
def gst_server() -> Iterator[Callable[..., GstServer]]:
    """Starts independent servers: `gst_server([port, [user, password, "basic"|"digest"]])`."""
    _require_gst()
    servers: list[GstServer] = []

    def start(*arguments: str) -> GstServer:
        servers.append(GstServer(*arguments))
        return servers[-1]

    yield start
    for server in servers:
        server.kill()


def _require_gst() -> None:
    reason = "Debian's gst-rtsp-server with python3-gi"
    if shutil.which("/usr/bin/python3"):
        probe = subprocess.run(
            ["/usr/bin/python3", "-c", _PROBE], capture_output=True, text=True, check=False
        )
        if probe.returncode == 0:
            return
        reason += f" ({probe.stderr.strip().splitlines()[-1]})"
    need(False, reason)
