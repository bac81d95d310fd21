"""The labelling page of a match, in this process or as the command, and what a person reads on it."""

import http.client
import json
import re
from urllib.parse import urlsplit

from pages import wait_for

from tt_actions.clips.manifest import read_manifest
from tt_actions.files import write_json
from tt_actions.label.joint_series import JointSeries
from tt_actions.label.page import LabelPage
from tt_actions.label.session import LabelSession
from tt_actions.match.results_folder import INPUTS_FILE
from tt_actions.recognition.analysis import write_analysis


class Desk:
    """A session with its page in this process.

    Args:
        marks: The manifest.
        analyses: The analyses of the videos.
        port: The port.
    """

    def __init__(self, marks, *analyses, port=0):
        self.marks = marks
        self.session = LabelSession(marks, analyses)
        self.page = LabelPage(
            self.session, [JointSeries(analysis) for analysis in analyses], marks, port=port
        )

    @property
    def url(self):
        return self.page.url

    def close(self):
        self.page.close()
        self.session.close()

    def rows(self):
        """The accepted strokes as the manifest has them: start and class."""
        return [(record.start_s, record.label) for record in read_manifest(self.marks)]


def store(folder, analysis):
    """Write the result folder of an analysis, as ``analyze`` does."""
    write_analysis(folder, analysis)
    write_json(folder / INPUTS_FILE, {"video": str(analysis.video), "checkpoint": "0"})
    return folder


def press(page, *keys):
    """Press keys, one after the other."""
    for key in keys:
        page.keyboard.press(key)


def said(page, pattern):
    """Wait until the page says something."""
    wait_for(page, f"new RegExp({json.dumps(pattern)}).test(document.getElementById('said').textContent)")


def is_shown(page, selector, text):
    """Wait until an element has a text."""
    wait_for(page, f"document.querySelector({json.dumps(selector)})?.textContent === {json.dumps(text)}")


def number_of(page):
    """The number of the selected stroke."""
    return int(re.match(r"Stroke (\d+) of", page.inner_text("#which"))[1])


def own(url):
    """Headers of a request that the page itself makes."""
    return {"Origin": url.rstrip("/"), "Content_Type": "application/json"}


def ask(url, path, method="GET", body=None, **headers):
    """What the server answers to a request that no browser makes."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=10)
    content = None if body is None else json.dumps(body)
    connection.request(
        method, path, content, {name.replace("_", "-"): text for name, text in headers.items()}
    )
    answer = connection.getresponse()
    found = answer.read()
    connection.close()
    return answer.status, answer.headers, found
