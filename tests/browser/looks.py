"""What a page must be for everybody, asked of the page itself: each script answers a list of what is not so."""

from playwright.sync_api import Page

_HEADINGS = """
() => {
  const wrong = [], levels = [...document.querySelectorAll("h1, h2, h3, h4")].map((one) => Number(one.nodeName[1]));
  const firsts = levels.filter((level) => level === 1).length;
  if (firsts !== 1) wrong.push(`${firsts} headings of level 1`);
  levels.reduce((before, level) => {
    if (level > before + 1) wrong.push(`a heading of level ${level} after one of level ${before}`);
    return level;
  }, 0);
  return wrong;
}
"""
_NAMES = """
() => {
  const wrong = [], of = (one) => one.outerHTML.slice(0, 120);
  const named = (one) => one.getAttribute("aria-label") || one.getAttribute("aria-labelledby");
  for (const one of document.querySelectorAll("input:not([type=hidden]), select, textarea"))
    if (!one.labels.length && !named(one)) wrong.push(`no label: ${of(one)}`);
  for (const one of document.querySelectorAll("a, button, summary"))
    if (!one.textContent.trim() && !named(one) && !one.querySelector("title")) wrong.push(`no name: ${of(one)}`);
  for (const one of document.querySelectorAll("img"))
    if (!one.hasAttribute("alt")) wrong.push(`no alternative: ${of(one)}`);
  for (const one of document.querySelectorAll("svg"))
    if (!one.closest("[aria-hidden=true]") && !named(one)) wrong.push(`no name: ${of(one)}`);
  const ids = [...document.querySelectorAll("[id]")].map((one) => one.id);
  for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) wrong.push(`twice: #${id}`);
  if (!document.documentElement.lang) wrong.push("no language");
  return wrong;
}
"""
_CONTRAST = """
(least) => {
  const parse = (text) => {
    const [r, g, b, a = 1] = text.match(/[\\d.]+/g).map(Number);
    return { r, g, b, a };
  };
  const over = (top, under) => {
    const mix = (name) => top[name] * top.a + under[name] * (1 - top.a);
    return { r: mix("r"), g: mix("g"), b: mix("b"), a: 1 };
  };
  const behind = (one) => {
    const own = parse(getComputedStyle(one).backgroundColor);
    if (own.a === 1) return own;
    return over(own, one.parentElement ? behind(one.parentElement) : { r: 255, g: 255, b: 255, a: 1 });
  };
  const faint = (one) => (one ? Number(getComputedStyle(one).opacity) * faint(one.parentElement) : 1);
  const light = ({ r, g, b }) => {
    const part = (value) => (value / 255 <= 0.03928 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const wrong = new Set();
  for (const one of document.querySelectorAll("body *:not(svg *, option)")) {
    const text = [...one.childNodes].filter((node) => node.nodeType === 3).map((node) => node.data.trim()).join("");
    if (!text || !one.checkVisibility()) continue;
    const back = behind(one), ink = parse(getComputedStyle(one).color);
    const [dark, bright] = [light(over({ ...ink, a: ink.a * faint(one) }, back)), light(back)].sort((a, b) => a - b);
    const contrast = (bright + 0.05) / (dark + 0.05);
    if (contrast < least) wrong.add(`${contrast.toFixed(2)}: .${one.className} "${text.slice(0, 20)}"`);
  }
  return [...wrong];
}
"""
_WIDER = """
() => {
  const room = document.documentElement.clientWidth, over = document.documentElement.scrollWidth - room;
  if (over <= 0) return [];
  const wide = [...document.querySelectorAll("body *")].filter((one) => one.getBoundingClientRect().right > room + 0.5);
  return [`${over} px too wide`, ...wide.slice(0, 3).map((one) => one.outerHTML.slice(0, 120))];
}
"""

LEAST_CONTRAST = 4.5
"""Of a text and what is behind it, after WCAG 2, level AA."""


def misses_names(page: Page) -> list[str]:
    """Controls without a label, pictures without a name, headings out of order, ids that are there twice."""
    return [*page.evaluate(_HEADINGS), *page.evaluate(_NAMES)]


def hard_to_read(page: Page) -> list[str]:
    """Texts of too little contrast."""
    return list(page.evaluate(_CONTRAST, LEAST_CONTRAST))


def too_wide(page: Page) -> list[str]:
    """What makes the page scroll sideways."""
    return list(page.evaluate(_WIDER))
