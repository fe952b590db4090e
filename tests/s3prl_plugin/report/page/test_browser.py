"""The page in a real headless Chromium: it loads without errors, fetches nothing, and its interactive parts respond."""

import json
import shutil
import time

import page_rows
import pytest

from s3prl_plugin.questions import asking
from s3prl_plugin.report import page

pytest.importorskip("altair", reason="the report page needs altair")
pytest.importorskip("vl_convert", reason="the report page needs vl_convert")
webdriver = pytest.importorskip("selenium.webdriver", reason="selenium drives the browser")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRIVER = shutil.which("chromedriver")
if not (CHROMIUM and DRIVER):
    pytest.skip("no chromium or chromedriver is installed", allow_module_level=True)

FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run", "--window-size=1300,1000",
)  # fmt: skip
PATIENCE = 60  # seconds; a busy machine draws slowly
NAMES = ("hubert", "mr_hubert", "<b>Модель</b>")


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(executable_path=DRIVER))
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    measures = ("cca_phone", "cca_word")
    rows = [page_rows.everything(name, measures, count=6, seed=10 * i) for i, name in enumerate(NAMES)]
    return page.write(
        [page_rows.write(folder / f"r{i}", each) for i, each in enumerate(rows)],
        folder / "report.html",
        asking.sections,
    )


@pytest.fixture
def opened(browser, report):
    """The page, freshly loaded, with all figures drawn."""
    browser.get_log("performance")
    browser.get_log("browser")
    browser.get(report.as_uri())
    wait(browser, "return document.documentElement.dataset.drawn")
    return browser


def wait(browser, script, *arguments):
    """What a script returns as soon as that is something."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        found = browser.execute_script(script, *arguments)
        if found:
            return found
        time.sleep(0.1)
    pytest.fail(f"nothing came of {script}")


def visible(browser, selector):
    script = "return [...document.querySelectorAll(arguments[0])].filter(e => e.offsetParent !== null).length"
    return browser.execute_script(script, selector)


def lines(browser):
    """How many lines of models the first curve shows: colours of its visible points."""
    script = """const points = [...document.querySelectorAll('figure.over [class*=point_marks] path')];
    return new Set(points.filter(p => p.closest('figure') === points[0].closest('figure'))
        .map(p => p.getAttribute('fill'))).size"""
    return browser.execute_script(script)


def test_it_loads_without_errors_and_fetches_nothing(opened):
    assert opened.get_log("browser") == []
    events = [json.loads(entry["message"])["message"] for entry in opened.get_log("performance")]
    asked = [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]
    assert asked, "the log of requests is empty, so that it proves nothing"
    foreign = [url for url in asked if not url.startswith(("file:", "data:", "blob:", "chrome:", "chrome-"))]
    assert foreign == []
    assert len([url for url in asked if url.startswith("file:")]) == 1
    assert opened.execute_script("return document.querySelectorAll('main b').length") == 0  # the name is no element


def test_every_figure_in_sight_is_drawn(opened):
    assert visible(opened, "figure .chart") == visible(opened, "figure .chart svg.marks") > 0


def test_a_click_sorts_a_table_and_a_second_one_turns_it_round(opened):
    opened.execute_script("document.querySelector('#layers details').open = true")
    script = """const table = document.querySelector('#layers details table');
    return [...table.tBodies[0].rows].map(row => Number(row.cells[4].dataset.sort))"""
    before = opened.execute_script(script)
    head = opened.find_element("css selector", "#layers details thead th:nth-child(5) button")
    head.click()
    down = opened.execute_script(script)
    head.click()
    up = opened.execute_script(script)
    assert down == sorted(before, reverse=True)
    assert up == sorted(before)
    assert before not in (down, up)
    assert opened.execute_script("return arguments[0].parentElement.getAttribute('aria-sort')", head) == "ascending"


def test_pointing_at_a_mark_shows_its_numbers(opened):
    mark = opened.find_element("css selector", "figure.over [class*=target_marks] path")
    opened.execute_script("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", mark)
    webdriver.ActionChains(opened).move_to_element(mark).perform()
    text = wait(opened, "const t = document.querySelector('#vg-tooltip-element.visible'); return t && t.innerText")
    for word in ("enc0.pre", "20 ms", "95 % interval", "n/d", "12.5"):
        assert word in text


def test_the_theme_changes_and_figures_with_it(opened):
    script = """const ink = s => getComputedStyle(document.querySelector(s));
    return [ink('body').backgroundColor, ink('figure svg.marks text').fill]"""
    first = opened.execute_script(script)
    button = opened.find_element("id", "theme")
    button.click()
    second = opened.execute_script(script)
    button.click()
    assert [a == b for a, b in zip(first, second, strict=True)] == [False, False]
    assert opened.execute_script(script) == first


def test_models_are_chosen_beside_the_page(opened):
    maps = visible(opened, "#matrices figure[data-model]")
    assert (lines(opened), maps) == (3, 3)
    opened.find_element("css selector", "#models input").click()
    wait(opened, "return document.querySelectorAll('#matrices figure[data-model][hidden]').length === 1")
    end = time.monotonic() + PATIENCE
    while lines(opened) != 2 and time.monotonic() < end:
        time.sleep(0.1)
    assert lines(opened) == 2
    assert visible(opened, "#matrices figure[data-model]") == 2


def test_a_click_on_the_legend_brings_a_model_to_the_fore(opened):
    script = """const points = [...document.querySelector('figure.over').querySelectorAll('[class*=point_marks] path')];
    return [...new Set(points.map(p => p.getAttribute('opacity')))].sort()"""
    assert opened.execute_script(script) == ["1"]
    name = opened.find_element("css selector", "figure.over .role-legend-label text")
    opened.execute_script("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", name)
    name.click()
    assert len(wait(opened, f"const found = (() => {{ {script} }})(); return found.length > 1 && found")) == 2


def test_models_stand_side_by_side_on_request(opened):
    assert visible(opened, "#curves .beside svg.marks") == 0
    button = opened.find_element("css selector", "#curves [data-view=beside]")
    opened.execute_script("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", button)
    button.click()
    wait(opened, "return document.querySelectorAll('#curves .beside svg.marks').length === 6")
    assert visible(opened, "#curves figure.over") == 0
    assert opened.get_log("browser") == []


def test_figures_are_saved_as_svg_and_png_and_nothing_leads_to_the_network(opened):
    words = opened.execute_script(
        "return [...document.querySelector('.vega-actions').children].map(a => a.textContent)"
    )
    assert words == ["Save as SVG", "Save as PNG"]
    script = """const link = [...document.querySelectorAll('.vega-actions a')].find(a => a.textContent.includes('PNG'));
    link.dispatchEvent(new MouseEvent('mousedown')); return null"""
    opened.execute_script(script)
    saved = wait(
        opened, "const a = [...document.querySelectorAll('.vega-actions a')][1]; return a.href.length > 200 && a.href"
    )
    assert saved.startswith("data:image/png")


def test_a_narrow_page_does_not_scroll_sideways(opened):
    size = {"width": 400, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    opened.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    opened.refresh()
    wait(opened, "return document.documentElement.dataset.drawn")
    try:
        assert opened.execute_script("return document.documentElement.scrollWidth <= window.innerWidth")
    finally:
        opened.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
