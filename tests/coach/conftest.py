"""Pages of the coach in a real browser."""

import pytest


@pytest.fixture
def open_page(browser):
    """Opens a page; its console must be silent and nothing but the file asked for."""
    context = browser.new_context(viewport={"width": 1100, "height": 800})
    said, asked = [], []

    def open_file(path):
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(path.as_uri())
        return page

    yield open_file
    context.close()
    assert said == []
    assert all(url.startswith(("file:", "data:")) for url in asked)
    assert len([url for url in asked if url.startswith("file:")]) == 1
