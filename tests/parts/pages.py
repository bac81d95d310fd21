"""Pages in a browser, and names that would break them."""

import pytest

HOSTILE = (
    "</script><script>document.title='taken'</script>",
    '"><img src=x onerror="document.title=1">',
    "发球 {{ 7*7 }}",
    "a'b&amp;\u2028,\n",
)


def wait_for(page, condition):
    """Wait till JavaScript says yes; the page's own policy forbids playwright's ``wait_for_function``."""
    for _ in range(160):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(50)
    pytest.fail(f"{condition} stayed false")
