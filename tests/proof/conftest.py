"""The independent RTSP server is the RTSP tests'."""

from tests.rtsp.conftest import gst_server as gst_server
