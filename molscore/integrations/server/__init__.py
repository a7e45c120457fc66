"""molscore over HTTP: `service` does the work within limits, `schemas` says what may be asked, `app` is the server."""
