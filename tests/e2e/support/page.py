"""Pages as a browser without scripts sees them: links, forms, fields. SPDX-License-Identifier: Apache-2.0"""
import html.parser
import urllib.parse

from .client import Answer, Client


class Form:
    def __init__(self, action: str):
        self.action = action
        self.fields: dict[str, str] = {}
        self.buttons: list[tuple[str, str]] = []


class Page(html.parser.HTMLParser):
    def __init__(self, answer: Answer):
        super().__init__()
        self.answer = answer
        self.forms: list[Form] = []
        self.links: list[str] = []
        self.scripts: list[dict] = []
        self.inline: list[str] = []  # style attributes and on… handlers: there must be none
        self.select = None
        self.text = ""
        self.feed(answer.text)

    def handle_starttag(self, tag, attributes):
        a = dict(attributes)
        self.inline += [f"{tag} {name}" for name in a if name == "style" or name.startswith("on")]
        if tag == "form":
            self.forms.append(Form(a.get("action", "")))
        elif tag == "a" and "href" in a:
            self.links.append(a["href"])
        elif tag == "script":
            self.scripts.append(a)
        elif tag == "select":
            self.select = a["name"]
        elif tag == "option" and self.select and ("selected" in a or self.select not in self.forms[-1].fields):
            self.forms[-1].fields[self.select] = a.get("value", "")
        elif tag == "button" and self.forms and "name" in a:
            self.forms[-1].buttons.append((a["name"], a.get("value", "")))
        elif tag in ("input", "textarea") and self.forms and "name" in a:
            self._field(a)

    def _field(self, a):
        if a.get("type") not in ("radio", "checkbox") or "checked" in a:
            self.forms[-1].fields[a["name"]] = a.get("value", "")

    def handle_endtag(self, tag):
        if tag == "select":
            self.select = None

    def handle_data(self, data):
        self.text += data

    def form(self, action: str) -> Form:
        for form in self.forms:
            if form.action == action:
                return form
        raise AssertionError(f"no form for {action} among {[f.action for f in self.forms]}")


class Browser(Client):
    """Follows redirects, keeps cookies, sends forms; no scripts."""

    def open(self, path: str) -> Page:
        answer = self.get(path, **{"sec-fetch-site": "same-origin", "sec-fetch-mode": "navigate",
                                   "accept": "text/html"})
        return self._follow(answer)

    def submit(self, form: Form, **changes: str) -> Page:
        return self._follow(self.form(form.action, {**form.fields, **changes}))

    def _follow(self, answer: Answer) -> Page:
        for _ in range(5):
            if answer.status != 303:
                return Page(answer)
            target = urllib.parse.urlsplit(answer.headers["location"])
            assert not target.netloc or target.netloc.startswith("127.0.0.1"), answer.headers["location"]
            answer = self.get(target.path + (f"?{target.query}" if target.query else ""))
        raise AssertionError("more than five redirects")
