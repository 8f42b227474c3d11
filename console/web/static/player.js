// Plays a recording: lanes over the steps, and the world as it is after the one at the cursor. All text is text.
"use strict";

(() => {
  const SVG = "http://www.w3.org/2000/svg", FORMAT = 1;
  const byId = (id) => document.getElementById(id);
  const root = byId("player");
  if (!root) return;

  const make = (name, attributes = {}, ...inside) => {
    const one = attributes.svg ? document.createElementNS(SVG, name) : document.createElement(name);
    for (const [key, value] of Object.entries(attributes))
      if (key !== "svg" && value !== null && value !== undefined && value !== false) one.setAttribute(key, value);
    one.append(...inside.filter((each) => each !== null && each !== undefined));
    return one;
  };
  const draw = (name, attributes, ...inside) => make(name, { ...attributes, svg: true }, ...inside);
  const span = (ms) => {
    if (ms < 1000) return `${ms} ms`;
    if (ms < 60000) return `${(ms / 1000).toFixed(1)} s`;
    return ms < 7200000 ? `${Math.round(ms / 60000)} min` : `${(ms / 3600000).toFixed(1)} h`;
  };

  let recording, frames, worlds, at = 0, timer = null;

  const start = (found) => {
    if (found.format !== FORMAT) throw new Error(`it has format ${found.format}, this page reads ${FORMAT}`);
    recording = found;
    frames = found.frames;
    worlds = [];
    frames.forEach((frame, index) => worlds.push({ ...worlds[index - 1], ...frame.set }));
    byId("slide").max = frames.length;
    const fault = frames.findIndex((one) => one.fault || one.broken);
    const commit = worlds.findIndex((one, index) => index && one.head.snapshot !== worlds[index - 1].head.snapshot);
    offer("go-fault", fault);
    offer("go-commit", commit);
    byId("steps").append(
      ...frames.map((frame, index) => make("li", { class: kindOf(index) }, make("a", { href: `#${index + 1}` }, frame.says))),
    );
    byId("player-wait").remove();
    byId("player-body").hidden = false;
    listen(fault, commit);
    go(fromAddress() ?? 0);
  };

  const offer = (id, index) => {
    byId(id).hidden = index < 0;
    byId(id).addEventListener("click", () => go(index));
  };

  const fromAddress = () => {
    const number = Number(location.hash.slice(1));
    return Number.isInteger(number) && number >= 1 && number <= frames.length ? number - 1 : null;
  };

  const kindOf = (index) => {
    const frame = frames[index];
    if (frame.broken) return "is-broken";
    if (frame.fault) return "is-fault";
    if (frame.refused) return "is-refused";
    if (index && worlds[index].head.snapshot !== worlds[index - 1].head.snapshot) return "is-commit";
    return frame.ends ? "is-end" : "is-step";
  };

  const go = (index) => {
    at = Math.max(0, Math.min(frames.length - 1, index));
    const frame = frames[at];
    const where = [`Step ${at + 1} of ${frames.length}`, nameOf(frame.lane), `after ${span(frame.at)}`];
    byId("step-where").textContent = where.join(" · ");
    byId("step-says").textContent = frame.says;
    byId("step-says").className = `sentence ${kindOf(at)}`;
    const comment = frame.state && recording.states[frame.state];
    byId("step-more").replaceChildren(
      ...(frame.state ? [make("b", {}, "State ", stateName(frame.state)), comment ? `: ${comment} ` : " "] : []),
      ...(frame.effect ? [make("code", {}, frame.effect)] : []),
      ...(frame.state || frame.effect ? [] : ["\u00a0"]),
    );
    byId("slide").value = at + 1;
    byId("slide").setAttribute("aria-valuetext", `${at + 1}: ${frame.says}`);
    byId("go-first").disabled = byId("go-back").disabled = at === 0;
    byId("go-on").disabled = byId("go-last").disabled = at === frames.length - 1;
    byId("world").replaceChildren(...cards());
    drawLanes();
    for (const one of byId("steps").children) one.removeAttribute("aria-current");
    byId("steps").children[at].setAttribute("aria-current", "step");
    history.replaceState(null, "", `#${at + 1}`);
    if (at === frames.length - 1) stop();
  };

  const stateName = (name) => (root.dataset.states ? make("a", { href: root.dataset.states }, name) : name);

  const nameOf = (lane) =>
    ({ stream: "stream function", operator: "operator", check: "the checks" })[lane] ?? `execution ${lane}`;

  // -- the world at the cursor

  const cards = () => {
    const world = worlds[at], before = worlds[at - 1] ?? world, { head, reader } = world;
    const card = (title, what, ...inside) =>
      make("section", { class: what.some((name) => name in frames[at].set) && at ? "world is-new" : "world" },
        make("h2", {}, title), ...inside);
    const facts = (...rows) => make("dl", {}, ...rows.flatMap(([name, value, old]) => [
      make("dt", {}, name),
      make("dd", { class: at && JSON.stringify(value) !== JSON.stringify(old) ? "is-new" : null }, value ?? "–"),
    ]));
    const list = (values, none, old) => values.length
      ? make("ul", {}, ...values.map((one) => make("li", { class: at && !old.includes(one) ? "is-new" : null }, one)))
      : make("p", { class: "dim" }, none);
    const points = (side) => [`${side === "efs" ? "EFS" : "bucket"}: CURRENT`, world[side].CURRENT, before[side].CURRENT];
    const serving = ["efs", "bucket"].filter((side) => world[side].SERVING)
      .map((side) => [`${side === "efs" ? "EFS" : "bucket"}: SERVING`, world[side].SERVING, before[side].SERVING]);
    return [
      card("HEAD, in DynamoDB", ["head"], facts(
        ["version", head.version, before.head.version],
        ["snapshot", head.snapshot, before.head.snapshot],
        ["fence", head.fence, before.head.fence],
        ["lease held by", head.holder ?? "nobody", before.head.holder ?? "nobody"],
        ["rerun asked for", head.rerun ? "yes" : "no", before.head.rerun ? "yes" : "no"],
        ["paused", head.paused ?? "no", before.head.paused ?? "no"],
      )),
      card("What a reader sees now", ["reader", "efs", "bucket"],
        facts(["snapshot", reader.sees, before.reader.sees], ["records", String(reader.records ?? "–"), String(before.reader.records ?? "–")],
          points("efs"), points("bucket"), ...serving),
        list(reader.labels ?? [], "What it answers comes from a base.", before.reader.labels ?? [])),
      card("Pending receipts", ["pending", "quarantine"],
        list(world.pending, "None.", before.pending),
        ...(world.quarantine.length ? [make("h3", {}, "In quarantine"), list(world.quarantine, "", before.quarantine)] : [])),
      card("Versions that exist", ["versions"], versionsOf(world.versions, before.versions, head, reader),
        make("p", { class: "dim" }, "3-5-0 is version 3, made under fence 5 in round 0. A row is what DynamoDB lists of a version.")),
      card("Invariants", ["laws"], make("ul", { class: "laws" }, ...Object.entries(recording.laws).map(([name, law]) => {
        const found = world.laws[name], [glyph, word] =
          { holds: ["✓", "holds"], broken: ["✗", "is broken"] }[found] ?? ["○", "is asked when all rests"];
        return make("li", { class: `law ${found === "at rest" ? "is-later" : `is-${found}`}` },
          make("span", { "aria-hidden": "true" }, glyph),
          make("span", {}, make("b", {}, name), make("small", {}, ` ${word}: ${law}`)));
      }))),
    ];
  };

  const versionsOf = (versions, old, head, reader) => {
    const known = new Map(old.map((one) => [one.snapshot, JSON.stringify(one)]));
    const titles = ["snapshot", "parent", "made by", "bases", "segments", "row"];
    return make("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Versions" }, make("table", {},
      make("thead", {}, make("tr", {}, ...titles.map((title) => make("th", { scope: "col" }, title)))),
      make("tbody", {}, ...[...versions].reverse().map((one) => {
        const marks = [one.snapshot === head.snapshot && "HEAD", one.snapshot === reader.sees && "readers"].filter(Boolean);
        const isNew = at && known.get(one.snapshot) !== JSON.stringify(one);
        return make("tr", { class: isNew ? "is-new" : null },
          make("td", {}, one.snapshot, ...marks.map((mark) => make("span", { class: "mark" }, mark))),
          ...[one.parent ?? "–", one.kind, one.bases, one.segments, one.row].map((value) => make("td", {}, String(value))));
      }))));
  };

  // -- the lanes

  const ROW = 26, TOP = 26, LEFT = 104;

  const drawLanes = () => {
    const box = byId("lanes"), width = Math.max(box.clientWidth, 560);
    const step = (width - LEFT - 16) / Math.max(frames.length - 1, 1), x = (index) => LEFT + index * step;
    const lanes = [...new Set(frames.map((one) => one.lane))];
    const bands = [
      ["lease", (world) => world.head.holder ?? ""],
      ["HEAD", (world) => world.head.snapshot ?? "none"],
      ["readers see", (world) => world.reader.sees],
    ];
    const height = TOP + (lanes.length + bands.length) * ROW + 8;
    const svg = draw("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img",
      "aria-label": "Who acts at which step, who has the lease, what HEAD names and what readers see" });
    let written = -Infinity;
    frames.forEach((frame, index) => {
      const passed = index ? frame.at - frames[index - 1].at : 0;
      if (passed < 1000) return;
      const middle = x(index) - step / 2;
      svg.append(draw("line", { x1: middle, x2: middle, y1: TOP - 6, y2: height - 6, class: "gap" }),
        middle - written > 52 ? draw("text", { x: middle, y: 13, class: "gap-text" }, `+${span(passed)}`) : "");
      if (middle - written > 52) written = middle;
    });
    lanes.forEach((lane, row) => {
      const y = TOP + row * ROW + ROW / 2, own = frames.flatMap((one, index) => (one.lane === lane ? [index] : []));
      svg.append(draw("text", { x: 4, y: y + 4, class: "lane-name" }, lane),
        draw("line", { x1: x(own[0]), x2: x(lane === "check" ? own[0] : own.at(-1)), y1: y, y2: y, class: "lane" }));
      for (const index of own) svg.append(sign(kindOf(index), x(index), y));
    });
    bands.forEach(([name, of], row) => {
      const y = TOP + (lanes.length + row) * ROW;
      svg.append(draw("text", { x: 4, y: y + 17, class: "lane-name" }, name));
      let from = 0;
      for (let index = 1; index <= frames.length; index++) {
        const value = of(worlds[from]);
        if (index < frames.length && of(worlds[index]) === value) continue;
        const end = index < frames.length ? x(index) : x(frames.length - 1) + 6, long = end - x(from);
        if (value) {
          svg.append(draw("rect", { x: x(from), y: y + 4, width: Math.max(long - 1, 1), height: ROW - 8, rx: 3,
            class: from <= at && at < index ? "band is-here" : "band" }, draw("title", {}, `${name}: ${value}`)));
          if (long > value.length * 7 + 6)
            svg.append(draw("text", { x: x(from) + 5, y: y + 17, class: "band-text" }, value));
        }
        from = index;
      }
    });
    svg.append(draw("line", { x1: x(at), x2: x(at), y1: TOP - 8, y2: height - 2, class: "cursor" }),
      draw("path", { d: `M${x(at) - 5} ${TOP - 12}h10l-5 7z`, class: "cursor-head" }));
    svg.addEventListener("click", (event) => {
      const scale = width / svg.getBoundingClientRect().width;
      go(Math.round(((event.clientX - svg.getBoundingClientRect().left) * scale - LEFT) / step));
    });
    box.replaceChildren(svg);
    box.scrollLeft = x(at) - box.clientWidth / 2;
  };

  const sign = (kind, x, y) => {
    const text = { "is-fault": "⚡", "is-broken": "✗" }[kind];
    if (text) return draw("text", { x, y: y + 6, class: `sign ${kind}` }, text);
    if (kind === "is-commit") return draw("path", { d: `M${x} ${y - 7}l7 7-7 7-7-7z`, class: `sign ${kind}` });
    if (kind === "is-end") return draw("rect", { x: x - 4, y: y - 4, width: 8, height: 8, class: `sign ${kind}` });
    return draw("circle", { cx: x, cy: y, r: kind === "is-refused" ? 4 : 3, class: `sign ${kind}` });
  };

  // -- a person's hands

  const stop = () => {
    clearInterval(timer);
    timer = null;
    byId("play").textContent = "Play";
  };

  const play = () => {
    if (timer) return stop();
    if (at === frames.length - 1) go(0);
    byId("play").textContent = "Pause";
    timer = setInterval(() => go(at + 1), 1500);
  };

  const listen = (fault, commit) => {
    const by = (move) => () => { stop(); move(); };
    const moves = {
      ArrowLeft: by(() => go(at - 1)), ArrowRight: by(() => go(at + 1)),
      Home: by(() => go(0)), End: by(() => go(frames.length - 1)),
      f: by(() => fault >= 0 && go(fault)), c: by(() => commit >= 0 && go(commit)), " ": play,
    };
    byId("go-back").addEventListener("click", moves.ArrowLeft);
    byId("go-on").addEventListener("click", moves.ArrowRight);
    byId("go-first").addEventListener("click", moves.Home);
    byId("go-last").addEventListener("click", moves.End);
    byId("play").addEventListener("click", play);
    byId("slide").addEventListener("input", by(() => go(Number(byId("slide").value) - 1)));
    document.addEventListener("keydown", (event) => {
      const typed = event.target.closest("input, select, textarea, [tabindex]");
      const pressed = event.key === " " && event.target.closest("button, a, summary");
      if (typed || pressed || event.ctrlKey || event.metaKey || event.altKey || !moves[event.key]) return;
      event.preventDefault();
      moves[event.key]();
    });
    addEventListener("hashchange", () => go(fromAddress() ?? at));
    addEventListener("resize", drawLanes);
  };

  const failed = (error) => {
    byId("player-wait").textContent = `The recording cannot be played: ${error.message}.`;
  };

  const inside = byId("recording");
  const found = inside
    ? Promise.resolve(inside.textContent).then(JSON.parse)
    : fetch(root.dataset.source).then((answer) => {
        if (!answer.ok) throw new Error(`the console answered ${answer.status}`);
        return answer.json();
      });
  found.then(start).catch(failed);
})();
