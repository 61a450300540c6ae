"""The page "How a GAN learns": its derivatives, that it learns, that a seed decides, and what a pupil does there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("fastapi")
from test_studio import Served
from test_studio_pages import browser, check_access, frames, go, until, watched  # noqa: F401
from test_studio_pages import pytestmark as pytestmark

ROUNDS = "parseInt(document.querySelector('.seen .pill').textContent.replace(',', ''))"
NUMERIC = """
    const numeric = (array, i, loss) => {
        const kept = array[i], high = (array[i] = kept + 1e-6, loss()), low = (array[i] = kept - 1e-6, loss());
        array[i] = kept;
        return (high - low) / 2e-6;
    };
    const farthest = (array, loss, found) => Math.max(...found.map((v, i) => Math.abs(v - numeric(array, i, loss))));
"""


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    place = tmp_path_factory.mktemp("toy")
    (place / "runs").mkdir()
    served = Served(place / "runs", place)
    yield served
    served.close()


@pytest.fixture(scope="module")
def page(browser: Any, studio: Served) -> Iterator[Any]:  # noqa: F811
    found = browser.new_page(viewport={"width": 1280, "height": 800})
    found.set_default_timeout(600_000)
    wrong: list[str] = []
    found.on("console", lambda m: wrong.append(m.text) if m.type == "error" else None)
    found.on("pageerror", lambda error: wrong.append(str(error)))
    watched(found)
    go(found, studio, "how")
    yield found
    found.close()
    assert not wrong


def test_the_derivatives_are_those_of_finite_differences(page: Any) -> None:
    errors = page.evaluate(
        """async () => {
            const { Network } = await import('/static/toy/network.js');
            const { Random } = await import('/static/toy/random.js');
            const { LOSSES } = await import('/static/toy/train.js');"""
        + NUMERIC
        + """
            const random = new Random(3), net = new Network([2, 8, 8, 1], random), n = 5;
            const x = random.fill(new Float64Array(2 * n));
            net.weights.forEach((w, i) => { net.weights[i] = w + 0.1 * random.normal(); });
            const result = {};
            const loss = () => net.forward(x, n).slice(0, n).reduce((sum, y) => sum + y * y / 2, 0);
            const inner = net.backward(net.forward(x, n).slice(0, n), n).slice(0, 2 * n);
            result.weights = farthest(net.weights, loss, net.gradients.slice());
            result.input = farthest(x, loss, inner);
            net.gradients.fill(0);
            const penalty = () => net.slopes(x, n).slice(0, 2 * n).reduce((sum, v) => sum + v * v, 0);
            net.punish(net.slopes(x, n).slice(0, 2 * n).map((v) => 2 * v), n);
            result.largest = -Math.max(...net.gradients);
            result.penalty = farthest(net.weights, penalty, net.gradients.slice());
            for (const [name, { real, fake, forger }] of Object.entries(LOSSES))
                for (const [value, derivative] of [real, fake, forger]) {
                    const s = Float64Array.of(-2.1, -0.3, 0.4, 1.7);
                    const all = () => s.reduce((sum, v) => sum + value(v), 0);
                    result[name] = Math.max(result[name] ?? 0, farthest(s, all, s.slice().map(derivative)));
                }
            const large = net.resized([2, 12, 12, 1], random), before = net.forward(x, n).slice(0, n);
            const after = large.forward(x, n).slice(0, n);
            result.grown = Math.max(...before.map((v, i) => Math.abs(v - after[i])));
            return result;
        }"""
    )
    assert errors.pop("largest") < -0.1  # there is a penalty to speak of
    assert len(errors) == 4 + 4
    assert max(errors.values()) < 1e-7, errors


def test_the_ring_is_learned_and_the_same_seed_gives_the_same(page: Any) -> None:
    learned = page.evaluate(
        """async () => {
            const { Gan } = await import('/static/toy/train.js'), { found } = await import('/static/toy/points.js');
            const gan = new Gan(), start = found('ring', gan.forged()).centres[0];
            for (let i = 0; i < 25; i += 1) gan.round();
            const early = gan.forged(), counts = [];
            while (gan.rounds < 800) {
                gan.round();
                if (gan.rounds > 700 && gan.rounds % 20 === 0) counts.push(found('ring', gan.forged()).centres[0]);
            }
            const forged = gan.forged(), other = new Gan();
            for (let i = 0; i < 25; i += 1) other.round();
            const place = (i) => Math.hypot(forged[2 * i], forged[2 * i + 1]);
            const lengths = Array.from({ length: forged.length / 2 }, (_, i) => place(i));
            return { start, end: Math.max(...counts),
                     near: lengths.filter((length) => Math.abs(length - 2) < 0.4).length / lengths.length,
                     same: early.every((v, i) => v === other.forged()[i]) };
        }"""
    )
    assert learned["start"] <= 1
    assert learned["end"] >= 7
    assert learned["near"] > 0.8
    assert learned["same"]


def test_a_collapse_and_what_heals_it(page: Any) -> None:
    spots = page.evaluate(
        """async () => {
            const { Gan } = await import('/static/toy/train.js');
            const { found, spread } = await import('/static/toy/points.js');
            const { PRESETS } = await import('/static/toy/words.js');
            const gan = new Gan(PRESETS[1].settings), clumps = [], counts = [], healed = [];
            const spots = () => found('ring', gan.forged()).centres[0];
            while (gan.rounds < 320) {
                gan.round();
                if (gan.rounds > 100 && gan.rounds % 10 === 0) {
                    clumps.push(spread(gan.forged()));
                    counts.push(spots());
                }
            }
            gan.set(PRESETS[2].settings);
            while (gan.rounds < 1220) {
                gan.round();
                if (gan.rounds > 1000 && gan.rounds % 20 === 0) healed.push(spots());
            }
            return { clump: Math.min(...clumps), collapsed: counts.sort()[counts.length >> 1],
                     healed: Math.max(...healed) };
        }"""
    )
    assert spots["clump"] < 0.6  # the real points' own is 2
    assert spots["collapsed"] <= 2
    assert spots["healed"] >= 7


def test_a_pupil_plays_steps_and_draws(page: Any) -> None:
    assert page.get_attribute("#nav a[aria-current]", "href") == "#/how"
    page.click("#toy-d")
    until(page, f"{ROUNDS} === 1")
    assert page.inner_text(".round [aria-current=step]") == "The expert learns"
    assert page.inner_text(".curves figcaption >> nth=0").count("–") == 1  # the forger has not learned yet
    page.click("#toy-g")
    page.click("#toy-both")
    until(page, f"{ROUNDS} === 3")
    page.click("#toy-play")
    until(page, f"{ROUNDS} > 5")
    page.fill("#toy-rateD", "7")
    page.select_option("#toy-width", "64")
    page.select_option("#toy-loss", "wasserstein")
    now = page.evaluate(ROUNDS)
    until(page, f"{ROUNDS} > {now}")
    page.click("#toy-play")
    assert page.inner_text("#toy-play") == "Play"
    page.click("#toy-slow")
    until(page, "document.querySelector('.round [aria-current=step]')?.textContent === 'The expert learns'")
    assert "told which are which" in page.inner_text(".phase-words")
    page.click("#toy-slow")
    page.click("#toy-play")
    page.select_option("#toy-shape", "drawn")
    until(page, "document.querySelector('.says').textContent.startsWith('Draw the real points')")
    page.focus(".plane")
    for key in ("ArrowRight", "Space", "ArrowUp", "Space"):
        page.keyboard.press(key)
    now = page.evaluate(ROUNDS)
    page.click("#toy-both")
    until(page, f"{ROUNDS} === {now + 1}")
    assert "of the drawing" in page.inner_text(".says")
    page.click("#toy-restart")
    until(page, f"{ROUNDS} === 0")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        frames(page)
        check_access(page)
    page.set_viewport_size({"width": 390, "height": 844})
    until(page, "innerWidth === 390")
    frames(page, 3)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
