"""The independent RTSP server is the RTSP tests', the browser the browser tests'."""

from tests.browser.conftest import chromium as chromium
from tests.browser.conftest import film as film
from tests.browser.conftest import open_page as open_page
from tests.rtsp.conftest import gst_server as gst_server
