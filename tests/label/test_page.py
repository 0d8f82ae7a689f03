"""The page from outside: strangers' texts are text, forged and oversized posts are refused, and nothing is changed by them."""

import asyncio
import contextlib
import re
import shutil
import socket
import threading
import time
from html import escape, unescape

import pytest

from feedback.label import private, rater, store
from feedback.label.limits import plain_name
from feedback.label.page import Page, UnavailableError
from qd.support.web import server
from qd.support.web.guard import Guard, hosts
from qd.types import Rendering
from tests.support.label.questions import Person, fill, spot
from tests.support.label.serving import served

HOSTILE = [
    "<script>document.title='x'</script>", "<img src=x onerror=alert(1)>", '"><svg onload=alert(1)>',
    "'; DROP TABLE answers; --",
    "{{ 7*7 }}", "{% raw %}", "${jndi:ldap://x}", "</pre></span></button><script>1</script>", "<!-- ", "]]>",
    "javascript:alert(1)",
    "&lt;b&gt;", "&#60;script&#62;", "\u202egnihtemos\u202c", "a\u0000b", "\ud7ff\uffff", "<a href='//evil.example'>x</a>",
    "<style>*{display:none}</style>", "<meta http-equiv=refresh content='0;url=//evil.example'>", "<base href=//evil.example>",
    "<iframe src=//evil.example></iframe>", "<form action=//evil.example>", "`${1}`", "\\u003cscript\\u003e", "%3Cscript%3E",
    "<details open ontoggle=alert(1)>", "../../etc/passwd", "\r\nSet-Cookie: a=b", "💥" * 30, "Ω≈ç√∫˜µ≤≥÷ " * 20,
]  # fmt: skip
NOTHING = (0, 0)


def stored(run) -> tuple:
    """Acts and answers of the store."""
    with store.opened(run) as db:
        return db.execute("SELECT (SELECT count(*) FROM answers), (SELECT count(*) FROM asks WHERE state != 'open')").fetchone()


def shown(page: str) -> str:
    """What the page says, without its tags."""
    return unescape(re.sub(r"<[^>]*>", "", page))


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    run = tmp_path_factory.mktemp("run")
    fill(run, [spot(i) for i in range(12)], 40)
    with served(run) as port:
        yield run, port


def test_a_link_is_not_served(tmp_path):
    """A file of the user's that a link in the folder names is neither shown on the page nor served."""
    run = tmp_path / "run"
    run.mkdir()
    (tmp_path / "diary.txt").write_text("my secret")
    fill(run, [Rendering("text", f"poem {i}") for i in range(3)], 1)
    with served(run) as port:
        ann = Person(port, "ann")
        assert "poem 0" in ann.get("/")[1] and ann.get("/shown/0-00000000") == (200, "poem 0")
        (run / "figures").mkdir()
        for link in (run / "labels/shown/0-00000000.text", run / "figures/sheet.png"):
            link.unlink(missing_ok=True)
            link.symlink_to(tmp_path / "diary.txt")
        assert ann.get("/shown/0-00000000")[0] == 404 and ann.get("/map")[0] == 404
        assert "secret" not in ann.get("/")[1]
    with pytest.raises(ValueError, match="figures/sheet.png is a link to"), store.opened(run):
        pass


def test_there_are_thirty_hostile_words():
    assert len(set(HOSTILE)) == 30


@pytest.mark.ci
def test_hostile_texts_are_shown_as_text(tmp_path):
    fill(tmp_path, [Rendering("text", words) for words in HOSTILE], 90)
    with served(tmp_path, "--limit", "1000") as port:
        ann, seen = Person(port, "ann"), set()
        while ann.token:
            (main,) = re.findall(r"<main.*</main>", ann.page, re.DOTALL)
            texts = re.findall(r'<span class="plate words"><bdi>(.*?)</bdi></span>', main, re.DOTALL)
            assert len(texts) == 3 and not any("<" in text for text in texts)
            seen |= {unescape(text) for text in texts}
            assert ann.say("left") == 200
        assert len(seen) == 30
        tidy = {words.replace("\r\n", "\n").replace("\x00", "\ufffd") for words in HOSTILE}
        assert {text.replace("\r\n", "\n").replace("\x00", "\ufffd") for text in seen} == tidy


def test_hostile_names_are_shown_as_text(site):
    _, port = site
    for words in HOSTILE:
        person = Person(port, words)
        name = plain_name(words)
        assert person.status == 303 and name
        assert f"<bdi>{escape(name).replace('&#x27;', '&#39;').replace('&quot;', '&#34;')}</bdi>" in person.page
        assert name in shown(person.page)
        tags = set(re.findall(r"<(\w+)", person.page))
        assert tags <= {"html", "head", "meta", "title", "link", "script", "body", "header", "p", "bdi", "div", "progress",
                        "span", "form", "input", "button", "main", "h1", "figure", "img", "kbd", "aside", "section", "h2", "dl",
                        "dt", "dd", "small", "a"}  # fmt: skip
        assert person.page.count("<script") == 1 and "evil.example>" not in person.page


def test_a_name_is_needed_and_has_a_size(site):
    _, port = site
    nobody = Person(port, "")
    assert nobody.state == "name"
    for name in ("", "   ", "\x00\x01"):
        assert nobody.post("/name", name=name)[0] == 400 and nobody.state == "name"
    assert nobody.post("/answer", token="x", answer="left")[0] == 403
    assert len(plain_name("x" * 999)) == 40
    ann = Person(port, "ann")
    assert ann.post("/name", leave="1")[0] == 303
    ann.page = ann.get("/")[1]
    assert ann.state == "name"


def test_a_forged_host_is_refused(site):
    run, port = site
    ann, before = Person(port, "ann"), stored(run)
    for host in (
        "evil.example",
        f"evil.example:{port}",
        f"127.0.0.1.evil.example:{port}",
        "127.0.0.1:1",
        "",
        f"localhost:{port}@x",
    ):
        assert ann.get("/", Host=host)[0] == 400
        assert ann.send("POST", "/answer", f"form={ann.form}&token={ann.token}&answer=left".encode(), Host=host)[0] == 400
    assert ann.get("/", Host=f"localhost:{port}")[0] == 200
    assert stored(run) == before


def test_a_form_from_elsewhere_is_refused(site):
    run, port = site
    ann, bob, before = Person(port, "ann"), Person(port, "bob"), stored(run)
    body = f"token={ann.token}&answer=left"
    for form in ("", "&form=", "&form=" + "0" * 64, f"&form={bob.form}"):
        assert ann.send("POST", "/answer", (body + form).encode())[0] == 403
    good = f"{body}&form={ann.form}".encode()
    for origin in ("http://evil.example", "null", f"http://127.0.0.1:{port + 1}"):
        assert ann.send("POST", "/answer", good, Origin=origin)[0] == 403
    assert ann.send("POST", "/answer", good, Cookie="")[0] == 403
    forged = next(iter(ann.jar.values())).split(".")[0] + "." + "0" * 64
    assert ann.send("POST", "/answer", good, Cookie=f"{next(iter(ann.jar))}={forged}")[0] == 403
    assert ann.get("/answer")[0] == 405
    both = f"form={ann.form}&token={ann.token}&answer=left&answer=right".encode()
    assert ann.send("POST", "/answer", both)[0] == 403  # two answers at once are none
    assert stored(run) == before


def test_large_posts_are_refused(site):
    run, port = site
    ann, before = Person(port, "ann"), stored(run)
    assert ann.send("POST", "/answer", b"x" * (10 << 20))[0] == 413
    ann.http.close()
    small = f"form={ann.form}&token={ann.token}&answer=left&more=".encode()
    assert ann.send("POST", "/answer", small + b"y" * (16_384 - len(small) + 1))[0] == 413
    ann.http.close()
    many = "&".join(f"f{i}=1" for i in range(100))
    assert ann.send("POST", "/answer", f"{many}&form={ann.form}".encode())[0] == 403
    assert stored(run) == before
    ann.http.request("POST", "/answer", iter([b"z" * 65_536] * 160), {"Transfer-Encoding": "chunked"}, encode_chunked=True)
    assert ann.http.getresponse().status == 413
    assert stored(run) == before


def test_unknown_and_replayed_answers_are_refused(site):
    run, port = site
    ann, bob, before = Person(port, "ann2"), Person(port, "bob2"), stored(run)
    assert ann.post("/answer", token="nothing-like-it", answer="left")[0] == 404
    assert bob.post("/answer", token=ann.token, answer="left")[0] == 404
    assert ann.post("/answer", token=ann.token, answer="both")[0] == 400
    assert ann.post("/answer", token=ann.token)[0] == 400
    assert stored(run) == before
    token = ann.token
    assert ann.say("left") == 200
    after = stored(run)
    assert after == (before[0] + 1, before[1] + 1)
    for said in ("left", "right"):
        status, page = ann.post("/answer", token=token, answer=said)
        assert status == 409 and "sent before" in page and ann.token != token
    assert ann.post("/skip", token=token)[0] == 409
    assert stored(run) == after


def test_the_same_answer_posted_by_eight_at_once_is_stored_once(site):
    run, port = site
    ann = Person(port, "ann3")
    before, token, form, statuses = stored(run), ann.token, ann.form, []
    others = [Person(port, "") for _ in range(8)]

    def post(other: Person) -> None:
        other.jar = ann.jar
        body = f"form={form}&token={token}&answer=left".encode()
        statuses.append(other.send("POST", "/answer", body, **{"X-Swap": "1"})[0])

    threads = [threading.Thread(target=post, args=(other,)) for other in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] + [409] * 7
    assert stored(run) == (before[0] + 1, before[1] + 1)


def test_who_is_too_quick_is_slowed_down(tmp_path):
    fill(tmp_path, [spot(i) for i in range(12)], 40)
    with served(tmp_path, "--limit", "2") as port:
        ann, bob = Person(port, "ann"), Person(port, "bob")
        began = time.monotonic()
        statuses = [ann.say("left")]
        while statuses[-1] == 200 and len(statuses) < 30:  # on a busy machine she is seldom too quick
            statuses.append(ann.say("left"))
        assert 4 <= statuses.count(200) <= 5 + 2 * (time.monotonic() - began) and statuses[-1] == 429
        assert ann.headers["retry-after"] == "1" and "A little slower" in ann.page
        assert bob.say("left") == 200
    assert stored(tmp_path)[0] == statuses.count(200) + 1


def test_what_is_shown_comes_from_the_runs_own_files(tmp_path):
    things = [spot(0), Rendering("html", "<script>top.location='//evil.example'</script>"), Rendering("audio", b"RIFF0000WAVE"),
              Rendering("gif", b"GIF89a"), Rendering("png", b"\x89PNG")]  # fmt: skip
    fill(tmp_path, things, 20)
    with served(tmp_path) as port:
        ann = Person(port, "ann")
        kinds = ["image/svg+xml", "text/html; charset=utf-8", "audio/wav", "image/gif", "image/png"]
        for i, kind in enumerate(kinds):
            status, _ = ann.send("GET", f"/shown/{i}-{i:08x}") if kind[:4] == "text" else _raw(ann, f"/shown/{i}-{i:08x}")
            assert status == 200 and ann.headers["content-type"] == kind
            assert ann.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
        assert "<iframe" in _until(ann, "<iframe") and 'sandbox tabindex="-1"' in ann.page
        assert "<audio" in _until(ann, "<audio")
        for path in ("/shown/9-9", "/shown/..%2Flabels.sqlite", "/shown/../labels.sqlite", "/static/../page.py",
                     "/static/%2e%2e/page.py", "/labels/labels.sqlite", "/map"):  # fmt: skip
            assert ann.get(path)[0] == 404
        shutil.rmtree(tmp_path / "labels/shown")
        assert ann.get("/shown/0-00000000")[0] == 404 and ann.get("/")[0] == 200


def _raw(person: Person, path: str) -> tuple[int, bytes]:
    person.http.request("GET", path, headers={"Cookie": "; ".join(f"{k}={v}" for k, v in person.jar.items())})
    response = person.http.getresponse()
    person.headers = {name.lower(): value for name, value in response.getheaders()}
    return response.status, response.read()


def _until(person: Person, tag: str) -> str:
    while tag not in person.page and person.token:
        person.say("left")
    return person.page


def test_every_page_keeps_the_browser_at_home(site):
    _, port = site
    ann = Person(port, "ann")
    for path in ("/", "/static/style.css", "/static/script.js", "/nothing"):
        ann.get(path)
        policy = ann.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'") and "unsafe" not in policy and "http" not in policy
        assert ann.headers["x-content-type-options"] == "nosniff" and "server" not in ann.headers
    for path in ("/", "/static/style.css", "/static/script.js", "/shared/icon.svg", "/shared/look.css"):
        assert not re.findall(r"(?:https?:)?//(?!www\.w3\.org/2000/svg)[a-z0-9-]+\.[a-z]", ann.get(path)[1])


def test_the_page_works_without_a_script(site):
    run, port = site
    ann, before = Person(port, "ann4"), stored(run)
    first = ann.token
    for path, said in (("/answer", "&answer=right"), ("/skip", ""), ("/undo", "")):
        status, _ = ann.send("POST", path, f"form={ann.form}&token={ann.token}{said}".encode())
        assert status == 303 and ann.headers["location"] == "/"
        ann.page = ann.get("/")[1]
    assert ann.token != first and stored(run)[0] == before[0] + 1


def test_a_key_is_needed_where_others_can_reach_it(tmp_path):
    fill(tmp_path, [spot(i) for i in range(12)], 10)
    with served(tmp_path, "--host", "0.0.0.0", "--name", "lab.example") as port:
        key = private.secret(tmp_path / store.FOLDER, private.KEY)
        assert len(key) >= 20
        stranger = Person(port, "")
        for path in ("/", "/static/script.js", "/shown/1-00000001", f"/?key={key}x", "/?key="):
            assert stranger.get(path)[0] == 401
        assert stranger.get("/", Host="evil.example")[0] == 400
        assert stranger.get(f"/?key={key}")[0] == 303 and stranger.headers["location"] == "/"
        assert stranger.get("/")[0] == 200
        assert stranger.get("/", Host=f"lab.example:{port}")[0] == 200
    with served(tmp_path, "--host", "0.0.0.0", "--key", "sesame") as port:
        assert Person(port, "").get("/?key=sesame")[0] == 303


def test_hosts_are_written_as_browsers_write_them():
    assert hosts("127.0.0.1", 8765) == {"127.0.0.1:8765", "localhost:8765", "[::1]:8765"}
    assert hosts("10.0.0.7", 80, ("Lab",)) == {"10.0.0.7:80", "10.0.0.7", "lab:80", "lab"}
    assert Guard(lambda *_: None, frozenset({"a:1"})).key is None  # type: ignore[arg-type,return-value]


def test_the_first_visit_counts_what_there_is(tmp_path):
    (tmp_path / "config.yaml").write_text(
        "judge: {_target_: feedback.judges.similarity.people.People}\ndescriptor: {questions_per_fit: [30, 30, 30]}\n"
    )
    with served(tmp_path) as port:
        ann = Person(port, "")
        assert ann.state == "name" and "has 90 questions in all. You can stop" in ann.page
        ann = Person(port, "ann")
        assert ann.state == "waiting" and "is preparing its first questions" in ann.page
        assert re.findall(r'<progress id="bar" max="(\d+)" value="(\d+)"', ann.page) == [("90", "0")]
        assert "0 of 90 answers" in ann.page and "0 of 0" not in shown(ann.page)
        fill(tmp_path, [spot(i) for i in range(12)], 30)
        ann.page = ann.get("/")[1]
        assert ann.state == "question" and ann.say("left") == 200
        assert "1 of 90 answers" in ann.page
        assert re.findall(r'<progress id="bar" max="(\d+)" value="(\d+)"', ann.page) == [("90", "1")]
        for _ in range(25):
            ann.say("left")
        with store.opened(tmp_path) as db:
            answers, repeats = db.execute("SELECT count(*), sum(repeat) FROM answers").fetchone()
        assert repeats > 0 and f"{answers - repeats} of 90 answers" in ann.page  # repeats are no progress
        assert f"<dt>Yours</dt><dd>{answers - repeats}</dd>" in ann.page
        assert f"<dt>Of all raters (1)</dt><dd>{answers - repeats}</dd>" in ann.page


def test_with_several_raters_for_each_question_the_page_counts_answers_that_the_search_uses(tmp_path):
    (tmp_path / "config.yaml").write_text(
        "judge: {_target_: feedback.judges.similarity.people.People, each: 3}\nrefit: [50]\nbudget: 100\n"
        "descriptor: {questions_per_fit: [2, 2, 9]}\n"
    )
    fill(tmp_path, [spot(i) for i in range(12)], 2, want=3)
    with served(tmp_path) as port:
        name = Person(port, "").page
        assert "has 4 questions in all, each for 3 raters" in name  # one refit: the third fit never comes
        ann = Person(port, "ann")
        for _ in range(2):
            ann.say("left")
        assert ann.state == "waiting" and "needs 4 more answers of other raters" in ann.page
        assert "2 of 12 answers" in ann.page and "<dt>Of all raters (1)</dt><dd>2</dd>" in ann.page
        bob = Person(port, "bob")
        bob.say("?")
        assert "3 of 12 answers" in bob.page and "<dt>Yours</dt><dd>1</dd>" in bob.page
        assert "<dt>Of all raters (2)</dt><dd>3</dd>" in bob.page
        assert re.findall(r'<progress id="bar" max="(\d+)" value="(\d+)"', bob.page) == [("12", "3")]


def test_the_end_counts_the_answers_that_the_search_used_and_quotes_its_folder(tmp_path):
    run = tmp_path / "refit=[1,2]-s0"
    run.mkdir()
    (run / "config.yaml").write_text("judge: {_target_: feedback.judges.similarity.people.People}\n")
    fill(run, [spot(i) for i in range(12)], 2)
    with served(run) as port:
        ann = Person(port, "ann")
        with store.opened(run) as db:  # so long ago that the question goes to another rater as well
            db.execute("UPDATE asks SET shown = shown - 100")
        bob = Person(port, "bob")
        assert ann.say("left") == 200 and bob.say("right") == 200  # the second answer is one too many
        for person in (ann, bob):
            person.page = person.get("/")[1]
            if person.state == "question":
                person.say("left")
        with store.opened(run) as db:
            assert db.execute("SELECT count(*), sum(counted) FROM answers").fetchone() == (3, 2)
            db.execute("UPDATE questions SET closed = 1")
        (run / "result.json").write_text("{}")
        page = ann.get("/")[1]
        assert 'data-state="done"' in page and "It learned from 2 answers of 2 raters" in page
        assert f"qd label export &#39;{run}&#39; --out" in page


def _half_request(port: int, first: str = "GET /", more: str = "X: ") -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=30)
    connection.sendall(f"{first} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{more}".encode())
    return connection


@pytest.mark.ci
def test_idle_half_requests_and_slow_bodies_keep_no_rater_out_and_end_in_time(tmp_path):
    fill(tmp_path, [spot(i) for i in range(12)], 10)
    with served(tmp_path) as port, socket.create_connection(("127.0.0.1", port), timeout=30) as slow:
        slow.sendall(f"POST /answer HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: 100\r\n\r\nx".encode())
        sent = time.monotonic()
        refusal: list[bytes] = []

        def read() -> None:
            with contextlib.suppress(ConnectionResetError):  # on a busy machine it comes before the refusal is read
                refusal.append(slow.recv(100))

        reader = threading.Thread(target=read)
        reader.start()
        idle = [_half_request(port) for _ in range(250)]
        began = time.monotonic()
        ann = Person(port, "ann")
        assert ann.state == "question" and ann.say("left") == 200
        assert time.monotonic() - began < 8
        idle[-1].settimeout(20)
        assert idle[-1].recv(10) == b""  # closed when its time is over, at the latest
        for connection in idle:
            connection.close()
        assert ann.say("left") == 200
        reader.join()
        assert (not refusal or refusal[0].startswith(b"HTTP/1.1 408")) and time.monotonic() - sent < 25
        bodies = [_half_request(port, "POST /answer", "Content-Length: 99\r\n\r\nx") for _ in range(120)]
        time.sleep(0.5)
        assert Person(port, "bob").say("left") == 200  # from the same address
        for connection in bodies:
            connection.close()


@pytest.mark.ci
def test_a_locked_store_holds_up_nobody_else_and_says_so(tmp_path):
    fill(tmp_path, [spot(i) for i in range(12)], 10)
    with served(tmp_path) as port:
        ann, other = Person(port, "ann"), Person(port, "")
        with store.opened(tmp_path) as db:
            db.execute("BEGIN IMMEDIATE")
            status = []
            waiting = threading.Thread(target=lambda: status.append(ann.post("/answer", token=ann.token, answer="left")))
            waiting.start()
            time.sleep(0.5)
            began = time.monotonic()
            assert other.get("/static/script.js")[0] == 200 and time.monotonic() - began < 1.5
            waiting.join()
            db.execute("ROLLBACK")
        assert status == [(503, "Another program is using the answers. Nothing was stored: please answer again in a moment.")]
        assert ann.say("left") == 200 and stored(tmp_path) == (1, 1)


def test_a_full_disk_is_a_message(tmp_path):
    fill(tmp_path, [spot(i) for i in range(12)], 10)
    with store.opened(tmp_path, any_thread=True) as db:
        page = Page(tmp_path, db, 10.0)
        question = rater.upcoming(db, "ann")
        assert question is not None
        form = {"token": question.token, "answer": "left"}
        db.execute("CREATE TABLE filler (x)")
        db.execute("CREATE TRIGGER fill BEFORE INSERT ON answers BEGIN INSERT INTO filler VALUES (zeroblob(900000)); END")
        (pages,) = db.execute("PRAGMA page_count").fetchone()
        db.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(UnavailableError, match="The disk of the server is full") as full:
            asyncio.run(page._call(page._do, "/answer", "ann", form))
        assert full.value.status == 507 and stored(tmp_path) == NOTHING
        db.execute("PRAGMA max_page_count = 100000")
        assert asyncio.run(page._call(page._do, "/answer", "ann", form)) == "Stored." and stored(tmp_path) == (1, 1)


def test_a_port_that_is_taken_is_named(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        where = server.Address("127.0.0.1", taken.getsockname()[1], None)
        with pytest.raises(
            ValueError, match=rf"port {where.port} of 127.0.0.1 cannot be used .*; type --port {where.port + 1}"
        ):
            server.serve(None, where, ["never printed"])
