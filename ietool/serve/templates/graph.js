"use strict";
// A small graph: names in columns, from those that only begin arrows to those that only end them; arrows with labels.
// drawGraph(links) takes [source, label, target, probability] and gives an SVG element; all words are set as text.
const drawGraph = (function () {
  const SVG = "http://www.w3.org/2000/svg";
  const WIDEST = 16, LINE = 46, GAP = 190, PAD = 14;

  function make(tag, attributes, text) {
    const made = document.createElementNS(SVG, tag);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    return made;
  }

  function short(text, most) {
    const chars = Array.from(text);
    return chars.length > most ? chars.slice(0, most - 1).join("") + "…" : text;
  }

  // Chinese characters are as wide as they are high, others about half of that.
  function width(text, size) {
    let sum = 0;
    for (const c of text) sum += c.codePointAt(0) > 0x2e7f ? size : size * 0.58;
    return sum;
  }

  // The column of each name: one behind the farthest name that points to it; circles end at a bound.
  function columns(names, links) {
    const at = new Map(names.map((name) => [name, 0]));
    for (let round = 0; round < Math.min(names.length, 6); round += 1) {
      for (const [source, , target] of links) {
        if (source !== target && at.get(target) <= at.get(source)) at.set(target, Math.min(at.get(source) + 1, 6));
      }
    }
    return at;
  }

  return function (links) {
    const names = [...new Set(links.flatMap(([source, , target]) => [source, target]))];
    const at = columns(names, links);
    const used = [...new Set(at.values())].sort((a, b) => a - b);
    const lanes = used.map((column) => names.filter((name) => at.get(name) === column));
    const place = new Map();
    // Within a column names stand at the mean height of those that point to them, so that arrows cross less.
    lanes.forEach((lane, n) => {
      const mean = (name) => {
        const from = links.filter(([s, , t]) => t === name && place.has(s)).map(([s]) => place.get(s).row);
        return from.length ? from.reduce((a, b) => a + b, 0) / from.length : names.indexOf(name);
      };
      const height = new Map(lane.map((name) => [name, mean(name)]));
      if (n) lane.sort((a, b) => height.get(a) - height.get(b));
      lane.forEach((name, row) => place.set(name, { row }));
    });
    const rows = Math.max(...lanes.map((lane) => lane.length));
    let x = PAD;
    const boxes = new Map();
    lanes.forEach((lane) => {
      const widest = Math.max(...lane.map((name) => width(short(name, WIDEST), 13) + 22));
      lane.forEach((name, n) => {
        const y = PAD + (rows * LINE * (n + 0.5)) / lane.length;
        boxes.set(name, { x, y, w: width(short(name, WIDEST), 13) + 22 });
      });
      x += widest + GAP;
    });
    const total = x - GAP + PAD, high = rows * LINE + 2 * PAD;
    const svg = make("svg", { class: "graph", viewBox: `0 0 ${total} ${high}`, role: "img" });
    svg.style.maxWidth = total + "px";
    svg.append(make("title", {}, "graph of what was found"));
    const edges = make("g", {}), words = make("g", {}), nodes = make("g", {});
    const between = new Map();
    for (const [source, label, target, chance] of links) {
      const a = boxes.get(source), b = boxes.get(target), key = source + "\u0000" + target;
      const n = between.get(key) || 0;
      between.set(key, n + 1);
      drawEdge(edges, words, a, b, source === target, label, chance, n);
    }
    for (const [name, box] of boxes) {
      const node = make("g", {});
      node.append(make("title", {}, name));
      node.append(make("rect", { class: "node", x: box.x, y: box.y - 13, width: box.w, height: 26, rx: 13 }));
      node.append(make("text", { x: box.x + 11, y: box.y + 5 }, short(name, WIDEST)));
      nodes.append(node);
    }
    svg.append(edges, words, nodes);
    return svg;
  };

  function drawEdge(edges, words, a, b, loop, label, chance, n) {
    const forward = b.x > a.x, down = n * 17;
    const from = forward || loop ? a.x + a.w : a.x, to = forward ? b.x - 7 : loop ? a.x + a.w + 7 : b.x + b.w + 7;
    const side = forward ? 1 : loop ? 1 : -1, bend = loop ? 40 : Math.max(40, Math.abs(to - from) / 2);
    const way = loop ? -1 : side;
    const y1 = loop ? a.y - 6 : a.y, y2 = loop ? a.y + 6 : b.y;
    const path = `M${from},${y1} C${from + side * bend},${y1 + down} ${to + (loop ? bend : -side * bend)},${y2 + down} ${to},${y2}`;
    const edge = make("path", { class: "edge", d: path });
    const tell = chance === null ? label : `${label} (p = ${chance.toFixed(3)})`;
    edge.append(make("title", {}, tell));
    edges.append(edge, make("path", { class: "tip", d: `M${to + way * 7},${y2} l${way * -7},-4 l0,8 z` }));
    const text = short(label, 14), wide = width(text, 11);
    const middle = (from + to) / 2 + (loop ? bend : 0), height = (y1 + y2) / 2 + down * 0.75 + (loop ? 0 : -9);
    words.append(make("rect", { class: "back", x: middle - wide / 2 - 3, y: height - 10, width: wide + 6, height: 14, rx: 3 }));
    const shown = make("text", { class: "label", x: middle - wide / 2, y: height + 1 }, text);
    shown.append(make("title", {}, tell));
    words.append(shown);
  }
})();
