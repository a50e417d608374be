"""The reader's site: it builds without a warning, is complete, loads nothing from outside, and a browser shows it."""

import fcntl
import html
import json
import os
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import pytest

from tokenomics import paths
from tokenomics.errors import RunError
from tokenomics.facts import tables
from tokenomics.facts.sources import cite, sources
from tokenomics.pipeline import generated
from tokenomics.site import markdown, notebooks, reference
from tokenomics.site.build import SITE, build
from tokenomics.site.extension import mathml
from tokenomics.site.results import results, source_keys

NOTEBOOK = "01_ubiquitous_llms"
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning")
PAGE = f"notebooks/{NOTEBOOK}.html"
LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href", "object": "data"}
NOT_LOADED_LINKS = {"index", "search", "prev", "next", "canonical", "author"}
OUTSIDE = re.compile(r"""(?:@import\s+|url\(\s*)["']?\s*(?:https?:)?//""")
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
QUIET = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
SHOW = ["--enable-logging=stderr", "--host-resolver-rules=MAP * ~NOTFOUND", "--virtual-time-budget=20000", "--dump-dom"]
PROBE_NAME, ATTEMPTS = "probe_", 3
PROBE = """<script>
const failed = [];
addEventListener("error", event => failed.push(event.target.src || event.target.href || event.message), true);
addEventListener("load", () => setTimeout(() => {
  const boxes = [...document.querySelectorAll("math")].map(each => each.getBoundingClientRect());
  const report = {
    failed,
    math: boxes.map(box => [box.width, box.height]),
    outside: performance.getEntriesByType("resource").map(each => each.name).filter(each => /^https?:/.test(each)),
    pictures: [...document.images].filter(each => each.naturalWidth > 100).length,
    wider_than_window: document.documentElement.scrollWidth - innerWidth,
  };
  document.body.append(Object.assign(document.createElement("pre"),
    {id: "report", textContent: encodeURIComponent(JSON.stringify(report))}));
}, 500))</script>"""


class Page(HTMLParser):
    """What a page holds: ids, links, and everything it loads."""

    def __init__(self, path: Path):
        super().__init__()
        self.ids, self.links, self.loads, self.alternatives = set(), [], [], set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.ids |= {given[key] for key in ("id", "name") if given.get(key)}
        self.alternatives |= {given["alt"]} if given.get("alt") else set()
        target = given.get(LOADED.get(tag, ""))
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])
        elif target and not (tag == "link" and NOT_LOADED_LINKS & set(given.get("rel", "").split())):
            self.loads.append(target)


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """The site of one notebook, built once for all workers, warnings as errors, in a folder with a space."""
    shared = tmp_path_factory.getbasetemp()
    shared = shared.parent if "PYTEST_XDIST_WORKER" in os.environ else shared
    root = shared / "a site"
    with (shared / "site.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (root / "done").exists():
            shutil.rmtree(root, ignore_errors=True)
            shutil.copytree(paths.RESULTS / NOTEBOOK, root / "results" / NOTEBOOK)
            build(root / "results", root / "out")
            (root / "done").touch()
    return root / "out" / "html"


@pytest.fixture(scope="module")
def pages(built) -> dict[Path, Page]:
    made = [path for path in sorted(built.rglob("*.html")) if "_static" not in path.parts]
    return {path: Page(path) for path in made if not path.name.startswith(PROBE_NAME)}


@pytest.fixture(scope="module")
def record() -> dict:
    return json.loads((paths.RESULTS / NOTEBOOK / "metrics.json").read_text(encoding="utf-8"))


def test_nothing_is_loaded_from_outside(built, pages):
    loads = {(path.name, each) for path, page in pages.items() for each in page.loads}
    assert len(loads) > len(pages)
    assert not [each for each in loads if each[1].startswith("//") or urlsplit(each[1]).scheme not in ("", "data")]
    styled = [path for path in built.rglob("*") if path.suffix in (".css", ".html")]
    assert not [path.name for path in styled if OUTSIDE.search(path.read_text(encoding="utf-8"))]


def test_every_internal_link_leads_somewhere(built, pages):
    broken = []
    for path, page in pages.items():
        for link in [*page.links, *page.loads]:
            parts = urlsplit(link)
            if parts.scheme or link.startswith("//"):
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            missing = not target.is_file()
            fragment = unquote(parts.fragment)
            if missing or (fragment and target in pages and fragment not in pages[target].ids):
                broken.append(f"{path.relative_to(built)}: {link}")
    assert not broken


def test_gallery_holds_every_figure_and_table(built, pages, record):
    gallery = pages[built / "gallery.html"]
    names = {Path(link).name for link in gallery.links}
    thumbnails = {Path(source).name for source in gallery.loads}
    assert record["figures"] and record["tables"]
    for name in record["figures"]:
        assert f"{name}.csv" in names and f"{name}.png" in names and f"{name}_small.png" in thumbnails
        assert f"{PAGE}#{notebooks.anchor(name)}" in gallery.links
        assert notebooks.anchor(name) in pages[built / PAGE].ids
    assert {f"{name}.csv" for name in record["tables"]} <= names


def test_dictionary_parameters_and_bibliography_are_complete(built):
    for path in tables.all_tables():
        text = (built / "dictionary" / path.relative_to(paths.DATA).with_suffix(".html")).read_text(encoding="utf-8")
        assert all(f">{part}<" in text for name in tables.read_meta(path).columns for part in [name])
    parameters = (built / "parameters.html").read_text(encoding="utf-8")
    for declared in generated.declarations().values():
        assert all(f">{name}<" in parameters for name in declared.model_fields)
    assert (built / "bibliography.html").read_text(encoding="utf-8").count('role="doc-biblioentry"') == len(sources())


def test_the_page_of_claims_holds_each_claim_beside_our_number(built, pages, record):
    page = built / "claims.html"
    text = " ".join(html.unescape(re.sub(r"<[^>]+>", "", page.read_text(encoding="utf-8"))).split())
    rows = tables.records("catalogue/paper_claims")
    assert all(" ".join(row["claim"].split()) in text for row in rows)
    shown = [row for row in rows if row["notebook"] == record["notebook"] and row["metric"]]
    assert shown and all(markdown.number(record["metrics"][row["metric"]]["value"]) in text for row in shown)
    assert f"{PAGE}" in pages[page].links


def test_front_page_shows_the_numbers_of_the_answer(built, record):
    front = (built / "index.html").read_text(encoding="utf-8")
    keys = results()[0].headline_keys()
    assert "compute_growth" in keys and "coverage" not in keys
    for key in keys:
        entry = record["metrics"][key]
        assert markdown.quantity(entry["value"], entry["unit"], fixed="low" in entry) in front


def test_each_picture_lies_there_once_and_stands_beside_its_alternative_text(built, pages, record):
    for name, figure in record["figures"].items():
        assert [path.parent.name for path in built.rglob(f"{name}.png")] == ["_images"]
        assert " ".join(figure["caption"].split()) in pages[built / PAGE].alternatives
    assert not [source for source in pages[built / PAGE].loads if source.startswith("data:image/png")]


def test_the_reference_lists_every_module_and_the_architecture_every_package(built):
    names = {path.stem for path in (built / "api").glob("*.html")}
    described = {package: reference.modules(package) for package in reference.LAYERS}
    assert names == {package for package, modules in described.items() if modules}
    for package in names:
        text = (built / "api" / f"{package}.html").read_text(encoding="utf-8")
        assert all(f'id="module-{name}"' in text for name in described[package])
        assert described[package].keys() == reference.files(package).keys()
    architecture = (built / "architecture.html").read_text(encoding="utf-8")
    assert all(
        f">{package}<" in architecture for package in (*reference.LAYERS, reference.APART) if reference.files(package)
    )


def test_search_index_knows_pages_and_words(built):
    text = (built / "searchindex.js").read_text(encoding="utf-8")
    index = json.loads(text.removeprefix("Search.setIndex(").removesuffix(")"))
    assert {f"notebooks/{NOTEBOOK}", "gallery", "method", "architecture", "dictionary/catalogue/models"} <= set(
        index["docnames"]
    )
    assert "bandwidth" in index["terms"]


def test_code_is_folded_and_noise_is_gone(built, record):
    text = (built / PAGE).read_text(encoding="utf-8")
    assert text.count('class="result-table') == len(record["tables"])
    assert text.count('<div class="cell_input') == text.count("<details class=") - text.count("<details open")
    assert "matplotlib.legend" not in re.sub(r"<pre>.*?</pre>", "", text, flags=re.S)
    assert "injected-parameters" not in text and 'class="takeaway admonition"' in text


@pytest.fixture(scope="module")
def browser() -> str:
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip("no Chromium installed: pages were not opened in a browser")
    return found


def opened(browser: str, page: Path, folder: Path, added: str = "") -> dict:
    """What a browser without a network makes of a page, as the probe reports it."""
    probe = page.with_name(f"{PROBE_NAME}{folder.name}.html")
    text = page.read_text(encoding="utf-8")
    probe.write_text(text.replace("<head>", f"<head>{PROBE}{added}", 1), encoding="utf-8")
    for attempt in range(ATTEMPTS):  # a busy machine may print the page before its load event
        command = [browser, *QUIET, *SHOW, f"--user-data-dir={folder / str(attempt)}", probe.as_uri()]
        shown = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
        found = re.search(r'id="report">([^<]+)<', shown)
        if found:
            break
    assert found, "the page did not finish loading"
    return json.loads(unquote(found.group(1)))


def test_browser_shows_the_front_page(built, browser, tmp_path):
    report = opened(browser, built / "index.html", tmp_path)
    assert not report["failed"] and not report["outside"] and report["wider_than_window"] <= 0
    assert report["pictures"] == 1


def test_browser_shows_a_notebook_with_figures_and_formulas(built, browser, tmp_path, record):
    report = opened(browser, built / PAGE, tmp_path)
    assert not report["failed"] and not report["outside"] and report["wider_than_window"] <= 0
    assert report["pictures"] == len(record["figures"])
    assert len(report["math"]) > 5 and all(width > 3 and height > 3 for width, height in report["math"])


def test_browser_would_notice_what_is_missing_or_outside(built, browser, tmp_path):
    added = '<script src="https://example.org/a.js"></script><link rel="stylesheet" href="missing.css">'
    report = opened(browser, built / "index.html", tmp_path, added)
    assert report["outside"] == ["https://example.org/a.js"]
    assert [Path(each).name for each in report["failed"]] == ["a.js", "missing.css"]


def test_formulas_become_mathml_or_fail():
    from docutils.utils.math import MathError

    made = mathml(r"\tau\,\big(w_\text{in} + \frac{a}{b}\big) \le \sqrt{x}", block=True)
    assert made.startswith("<math") and "<mfrac>" in made and "<msqrt>" in made
    with pytest.raises(MathError):
        mathml(r"\nosuchcommand{x}")


def test_no_results_is_one_line(tmp_path):
    with pytest.raises(RunError, match="make reproduce"):
        build(tmp_path, tmp_path / "out")


def test_citations_lead_back_to_their_keys():
    keys = sorted(sources())[:40]
    assert source_keys(cite(";".join(keys))) == keys
    assert source_keys("") == []


@pytest.mark.parametrize(
    ("value", "fixed", "shown"),
    [
        (2.00002, True, "2.00"),
        (2.00002, False, "2"),
        (1250, False, "1,250"),
        (1234.5, False, "1,230"),
        (3.14e25, False, "3.14&nbsp;×&nbsp;10²⁵"),
        (-4e-7, False, "-4&nbsp;×&nbsp;10⁻⁷"),
        (0.0, False, "0"),
        ("H100", False, "H100"),
    ],
)
def test_numbers_as_shown(value, fixed, shown):
    assert markdown.number(value, fixed=fixed) == shown


@pytest.mark.parametrize(
    ("value", "unit", "shown", "under"),
    [
        (0.0853138, "share", "8.53", "%"),
        (8, "GB", "8", "GB"),
        (2024, "year", "2024", "year"),
        ("H100", "text", "H100", ""),
        (1.25, "1", "1.25", ""),
    ],
)
def test_quantities_as_shown(value, unit, shown, under):
    assert (markdown.quantity(value, unit), markdown.unit(unit)) == (shown, under)


def test_a_linked_figure_becomes_a_captioned_one():
    link = nbformat.v4.new_output("display_data", {"text/markdown": '<img src="figures/08_x.png" alt="A" width="525">'})
    embedded = nbformat.v4.new_output("display_data", {"image/png": "iVBORw0="})
    assert [notebooks.linked(output) for output in (link, embedded)] == ["08_x", ""]


def names_in_docs() -> dict[str, set[str]]:
    """Names of modules, and what lies in them, that the hand-written pages and all docstrings mention."""
    packages = "|".join((*reference.LAYERS, reference.APART))
    spans = re.compile(rf"`((?:{packages})(?:\.[a-z_]\w*)+)(?<!ipynb)`")
    pages = {path.name: set(spans.findall(path.read_text(encoding="utf-8"))) for path in SITE.glob("*.md")}
    library = re.compile(r":\w+:`~?tokenomics\.([\w.]+)`")
    modules = (path for package in (*reference.LAYERS, reference.APART) for path in reference.files(package).values())
    return pages | {paths.shown(path): set(library.findall(path.read_text(encoding="utf-8"))) for path in modules}


def test_docs_say_names_that_exist():
    packages = (*reference.LAYERS, reference.APART)
    files = {name: path for package in packages for name, path in reference.files(package).items()}

    def exists(name: str) -> bool:
        module, _, inside = name.rpartition(".")
        if name in files or not module:
            return name in files
        return exists(module) and (module not in files or inside in files[module].read_text(encoding="utf-8"))

    missing = [(place, name) for place, names in names_in_docs().items() for name in names]
    assert not [pair for pair in missing if not exists(f"tokenomics.{pair[1]}")]


def test_words_are_not_read_as_markup():
    assert markdown.text("a | b <c> $x$ `d|e` *f*") == r"a \| b \<c\> \$x\$ `d\|e` \*f\*"


def test_links_to_notebooks_without_a_page_become_words():
    text = "see [the first](../01_a/notebook.ipynb) and [the last](../08_b/notebook.ipynb)"
    assert notebooks.prose(text, {"01_a"}) == "see [the first](01_a.ipynb) and the last"
