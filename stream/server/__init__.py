"""One port: the page, the websocket, REST, WHIP, health and metrics."""
