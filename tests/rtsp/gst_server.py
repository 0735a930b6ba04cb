"""A second, independent RTSP server: live test patterns by gst-rtsp-server.

Run by Debian's own Python, which has `gi`: `/usr/bin/python3 gst_server.py [PORT [USER PASSWORD
basic|digest]]`. Prints `port N` once it listens. Mounts: /h264 and /h265, a moving ball.
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

PICTURE = (
    "videotestsrc is-live=true pattern=ball ! "
    "video/x-raw,width=320,height=180,framerate=15/1,format=I420"
)
MOUNTS = {
    "/h264": f"( {PICTURE} ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=8 ! "
    "rtph264pay name=pay0 config-interval=1 )",
    "/h265": f"( {PICTURE} ! x265enc tune=zerolatency speed-preset=ultrafast key-int-max=8 ! "
    "h265parse ! rtph265pay name=pay0 config-interval=1 )",
}


def require_login(server, user, password, method):
    """Lets only one user in."""
    auth = GstRtspServer.RTSPAuth()
    auth.set_supported_methods(
        GstRtsp.RTSPAuthMethod.BASIC if method == "basic" else GstRtsp.RTSPAuthMethod.DIGEST
    )
    token = GstRtspServer.RTSPToken()
    token.set_string(GstRtspServer.RTSP_TOKEN_MEDIA_FACTORY_ROLE, "viewer")
    if method == "basic":
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
    else:
        auth.add_digest(user, password, token)
    server.set_auth(auth)


def main(arguments):
    """Serves until it is killed."""
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(arguments[0] if arguments else "0")
    if len(arguments) == 4:
        require_login(server, *arguments[1:])
    for mount, pipeline in MOUNTS.items():
        factory = GstRtspServer.RTSPMediaFactory()
        factory.set_launch(pipeline)
        factory.set_shared(True)
        if len(arguments) == 4:
            permissions = GstRtspServer.RTSPPermissions()
            permissions.add_permission_for_role("viewer", "media.factory.access", True)
            permissions.add_permission_for_role("viewer", "media.factory.construct", True)
            factory.set_permissions(permissions)
        server.get_mount_points().add_factory(mount, factory)
    if not server.attach(None):
        sys.exit("the port is taken")
    print("port", server.get_bound_port(), flush=True)
    GLib.MainLoop().run()


if __name__ == "__main__":
    main(sys.argv[1:])
