"use strict";
(function () {
  // The records lie in a script tag of JSON; everything from them is set as text or as the value of an attribute.
  const source = document.getElementById("items");
  if (!source) return;
  const data = JSON.parse(source.textContent);
  const finder = document.getElementById("finder"), list = document.getElementById("list");
  const names = { right: "ok", missed: "missed", spurious: "wrong" };
  const order = ["wrong", "missed", "ok", "plain"];
  let at = 0, found = data.items;

  function make(tag, name, text) {
    const made = document.createElement(tag);
    if (name) made.className = name;
    if (text !== undefined) made.textContent = text;
    return made;
  }

  function look(verdicts) {
    const seen = verdicts.map((verdict) => names[verdict] || "plain");
    return order.find((name) => seen.includes(name)) || "plain";
  }

  // One text with gold above it and one prediction below it; `side` is the number of its marks, 0 for none.
  function drawText(item, side) {
    const box = make("bdi", "text");
    let start = 0;
    for (const piece of item[2]) {
      const length = Array.from(piece[0]).length;
      const part = make("span");
      for (const [letter, which] of [["g", 0], ["p", side]]) {
        if (letter === "p" && !side) continue;
        const marks = item[3][which] || [], numbers = piece[1 + which] || [];
        if (!numbers.length) continue;
        part.classList.add("seg", letter + Math.min(3, numbers.length));
        const verdict = (n) => Array.isArray(marks[n][2]) ? marks[n][2][Math.max(0, side - 1)] : marks[n][2];
        part.classList.add(letter + "-" + look(numbers.map(verdict)));
        const begun = numbers.filter((n) => marks[n][1] === start && marks[n][0]).map((n) => marks[n][0]);
        if (!begun.length) continue;
        part.setAttribute("data-" + letter, begun.join(" · "));
        part.title = begun.join(" · ");
      }
      part.textContent = piece[0];
      box.append(part);
      start += length;
    }
    return box;
  }

  function drawChips(chips) {
    const box = make("ul", "chips");
    for (const [words, verdict, kind, note, chance, change] of chips) {
      const row = make("li", names[verdict] || "plain");
      row.append(make("bdi", "", words));
      for (const tag of new Set([change, verdict === "right" ? "" : verdict, kind])) if (tag) row.append(make("span", "tag", tag));
      if (chance !== null) row.append(make("small", "", "p = " + chance));
      if (note) row.append(make("small", "", note));
      box.append(row);
    }
    return box;
  }

  function draw(item) {
    const box = make("article", "item");
    box.id = "item-" + item[0];
    const head = make("header"), link = make("a", "", "#" + item[0]);
    link.href = "#item-" + item[0];
    head.append(link);
    if (item[1]) head.append(make("bdi", "", item[1]));
    box.append(head);
    const sides = make("div", "sides"), many = item[3].length - 1;
    for (let side = Math.min(1, many); side <= many; side += 1) {
      const part = make("div");
      if (data.sides.length > 1 && side) part.append(make("h4", "", data.sides[side - 1]));
      part.append(drawText(item, side));
      const chips = item[4][Math.max(0, side - 1)];
      if (chips && chips.length) part.append(drawChips(chips));
      sides.append(part);
    }
    box.append(sides);
    return box;
  }

  const selects = data.facets.map((facet, number) => {
    const counts = new Map();
    for (const item of data.items) for (const value of new Set(item[5][number])) {
      counts.set(value, (counts.get(value) || 0) + 1);
    }
    const box = make("select");
    box.setAttribute("aria-label", facet);
    box.append(new Option(facet + ": all", ""));
    const values = Array.from(counts).sort((one, other) => other[1] - one[1]);
    values.forEach(([value, count], place) => {
      const choice = new Option(value + " (" + count + ")", String(place + 1));
      box.append(choice);
    });
    box.addEventListener("change", choose);
    finder.append(box);
    return { box, number, values };
  });
  const search = make("input");
  search.type = "search";
  search.placeholder = "search";
  search.setAttribute("aria-label", "search");
  search.addEventListener("input", choose);
  const back = make("button", "", "‹"), on = make("button", "", "›"), count = make("span", "count");
  back.setAttribute("aria-label", "previous page");
  on.setAttribute("aria-label", "next page");
  back.addEventListener("click", () => turn(-data.page));
  on.addEventListener("click", () => turn(data.page));
  finder.append(search, back, on, count);

  const told = new Map();
  function words(item) {
    if (!told.has(item)) {
      const parts = [item[1], item[2].map((piece) => piece[0]).join("")];
      for (const chips of item[4]) for (const chip of chips) parts.push(chip[0]);
      for (const marks of item[3]) for (const mark of marks) parts.push(mark[0]);
      told.set(item, parts.join("\n").toLowerCase());
    }
    return told.get(item);
  }

  function choose() {
    const asked = search.value.toLowerCase();
    found = data.items.filter((item) =>
      selects.every(({ box, number, values }) => !box.value || item[5][number].includes(values[Number(box.value) - 1][0]))
      && (!asked || words(item).includes(asked)));
    at = 0;
    show();
  }

  function turn(step) {
    at = Math.min(Math.max(0, at + step), Math.max(0, found.length - 1));
    show();
  }

  function show() {
    const shown = found.slice(at, at + data.page);
    list.replaceChildren(...shown.map(draw));
    const many = data.items.length.toLocaleString("en"), some = found.length.toLocaleString("en");
    count.textContent = (shown.length ? at + 1 + "–" + (at + shown.length) + " of " : "") + some
      + (found.length === data.items.length ? "" : " found, " + many + " in all");
    back.disabled = at === 0;
    on.disabled = at + data.page >= found.length;
  }

  function follow() {
    const wanted = /^#item-(\d+)$/.exec(location.hash);
    if (!wanted) return;
    const number = Number(wanted[1]);
    let place = found.findIndex((item) => item[0] === number);
    if (place < 0) {
      place = data.items.findIndex((item) => item[0] === number);
      if (place < 0) return;
      for (const { box } of selects) box.value = "";
      search.value = "";
      found = data.items;
    }
    at = place - place % data.page;
    show();
    const box = document.getElementById("item-" + number);
    box.classList.add("wanted");
    box.scrollIntoView();
  }

  addEventListener("hashchange", follow);
  choose();
  follow();
})();
