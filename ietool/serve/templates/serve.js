(function () {
  // All that comes from the server is set as text or as the value of an attribute, never as HTML.
  const ARROWS = 100; // more are a tangle
  const at = (id) => document.getElementById(id);
  let runs = [], kept = null, sent = null, number = 0, timer = 0, token = "";

  function make(tag, name, text) {
    const made = document.createElement(tag);
    if (name) made.className = name;
    if (text !== undefined) made.textContent = text;
    return made;
  }

  // -- asking the server

  async function call(path, body) {
    const headers = token ? { Authorization: "Bearer " + token } : {};
    const options = { headers };
    if (body) {
      headers["Content-Type"] = "application/json";
      options.method = "POST";
      options.body = JSON.stringify(body);
    }
    let answer;
    try {
      answer = await fetch(path, options);
    } catch {
      throw { error: "the server does not answer", mend: "is it still running?" };
    }
    const value = await answer.json().catch(() => ({}));
    if (answer.ok) return value;
    throw { status: answer.status, ...value };
  }

  function tell(problem) {
    const box = at("trouble");
    box.hidden = !problem;
    if (!problem) return;
    const where = problem.field ? problem.field + ": " : "";
    const mend = problem.mend ? " → " + problem.mend : "";
    box.textContent = where + (problem.error || "the answer cannot be read") + mend;
    if (problem.status === 401) at("token-form").hidden = false;
  }

  // -- runs and examples

  function run() {
    return runs[at("run").selectedIndex];
  }

  function asText(example) {
    if (typeof example === "string") return example;
    const keys = Object.keys(example);
    if (keys.join() === "question,passages") return [example.question, ...example.passages].map(line).join("\n");
    if (keys.includes("type") && keys.includes("text")) return example.type + "\n" + line(example.text);
    return JSON.stringify(example);
  }

  function line(text) {
    return text.replace(/\s*[\n\t]\s*/g, " ");
  }

  function asInput(text, chosen) {
    if (/^\s*\{/.test(text)) {
      try {
        return { inputs: [JSON.parse(text)] };
      } catch {
        // a text that begins with a brace
      }
    }
    return { texts: [chosen.plain_text ? text : text.trim().split(/\n+/).join("\t")] };
  }

  function chooseRun() {
    number += 1; // an answer of another run is not drawn
    clearTimeout(timer);
    at("state").textContent = "";
    const chosen = run();
    const score = chosen.score ? ` · dev ${chosen.score.metric} ${chosen.score.score.toFixed(4)}` : "";
    const members = chosen.members > 1 ? ` · ${chosen.members} members` : "";
    at("about").textContent = `${chosen.title} · ${chosen.recipe}${members}${score}`;
    at("how").textContent = !chosen.takes_text
      ? "a record of the competition as JSON, as the examples show"
      : chosen.plain_text ? "" : "the question or the type in the first line, behind it a passage a line";
    const examples = at("example");
    examples.replaceChildren(make("option", "", chosen.examples.length ? "choose one …" : "there are none"));
    for (const example of chosen.examples) {
      const text = asText(example), option = make("option", "", text.length > 40 ? text.slice(0, 40) + "…" : text);
      option.value = text;
      examples.append(option);
    }
    kept = null;
    drawSliders();
    at("answers").replaceChildren();
  }

  async function begin() {
    try {
      const told = await call("runs");
      runs = told.runs;
      at("token-form").hidden = true;
      tell(null);
    } catch (problem) {
      tell(problem);
      return;
    }
    at("run").replaceChildren(...runs.map((one) => make("option", "", one.name)));
    chooseRun();
  }

  // -- predicting

  async function predict() {
    const text = at("text").value, chosen = run();
    if (!chosen || !text.trim()) return;
    const mine = (number += 1);
    kept = null;
    clearTimeout(timer);
    at("send").disabled = true;
    at("state").textContent = "reading …";
    const begun = performance.now();
    try {
      const wanted = chosen.keeps_scores ? changed() : {}, moved = Object.keys(wanted).length;
      sent = { run: chosen.name, keep: chosen.keeps_scores, view: true, ...asInput(text, chosen) };
      if (moved) sent.decode = wanted;
      const answer = await call("predict", sent);
      if (mine !== number) return;
      kept = answer.kept;
      tell(null);
      at("state").textContent = `${Math.round(performance.now() - begun)} ms`;
      if (kept && JSON.stringify(changed()) !== JSON.stringify(wanted)) await decode();
      else draw(answer);
    } catch (problem) {
      if (mine === number) tell(problem);
      at("state").textContent = "";
    } finally {
      at("send").disabled = false;
    }
  }

  async function decode() {
    if (!kept) return;
    const mine = (number += 1);
    try {
      const answer = await call("decode", { kept, decode: changed(), view: true });
      if (mine === number) {
        tell(null);
        draw(answer);
      }
    } catch (problem) {
      if (mine !== number) return;
      if (problem.status === 410) {
        kept = null;
        await predict(); // its scores are gone: it is read once more
      } else tell(problem);
    }
  }

  function later() {
    clearTimeout(timer);
    timer = setTimeout(decode, 60);
  }

  // -- thresholds

  let inputs = [];

  function changed() {
    const found = {};
    for (const { key, label, value, read } of inputs) {
      const now = read();
      if (label !== undefined) {
        const all = (found[key] = found[key] || { ...run().settings.find((one) => one.key === key).value });
        all[label] = now;
      } else if (now !== value) found[key] = now;
    }
    for (const { key, value } of run().settings) {
      if (found[key] && typeof found[key] === "object" && Object.keys(found[key]).every((name) => found[key][name] === value[name]))
        delete found[key];
    }
    return found;
  }

  function drawSliders() {
    const box = at("sliders"), chosen = run();
    inputs = [];
    box.replaceChildren();
    at("settings").hidden = !chosen.settings.length;
    for (const one of chosen.settings) {
      if (one.kind === "share") addSlider(box, one, one.key, one.value);
      else if (one.kind === "shares") {
        for (const name of Object.keys(one.value)) addSlider(box, one, `${one.key}: ${name}`, one.value[name], name);
      } else if (one.kind === "switch") addSwitch(box, one);
      else addOptions(box, one);
    }
  }

  function row(box, name, input, told) {
    const made = make("label", "slider");
    const output = make("output");
    made.append(make("bdi", "name", name), input, output);
    if (told) made.append(make("small", "", told));
    box.append(made);
    return output;
  }

  function addSlider(box, one, name, value, label) {
    const input = make("input");
    input.type = "range";
    input.min = one.least;
    input.max = 1;
    input.step = "any";
    input.value = value;
    input.name = name;
    const output = row(box, name, input, label === undefined ? one.description : "");
    // As the run has it until it is moved; then in steps of a hundredth.
    let moved = false;
    const read = () => (moved ? Math.max(one.least, Math.round(input.value * 100) / 100) : value);
    const show = () => (output.textContent = read().toFixed(moved ? 2 : 3).replace(/0$/, ""));
    input.addEventListener("input", () => {
      moved = true;
      show();
      later();
    });
    show();
    inputs.push({ key: one.key, label, value, read });
  }

  function addSwitch(box, one) {
    const input = make("input");
    input.type = "checkbox";
    input.checked = one.value;
    input.name = one.key;
    row(box, one.key, input, one.description);
    input.addEventListener("change", later);
    inputs.push({ key: one.key, value: one.value, read: () => input.checked });
  }

  function addOptions(box, one) {
    const input = make("select");
    input.name = one.key;
    for (const option of one.options) input.append(make("option", "", String(option)));
    input.selectedIndex = one.options.indexOf(one.value);
    row(box, one.key, input, one.description);
    input.addEventListener("change", later);
    inputs.push({ key: one.key, value: one.value, read: () => one.options[input.selectedIndex] });
  }

  // -- drawing

  function draw(answer) {
    at("answers").replaceChildren(...answer.views.map(drawOne));
  }

  function drawOne(view) {
    const box = make("article", "item");
    for (const text of view.texts) {
      if (text.title) box.append(make("h3", "", text.title));
      box.append(drawText(text));
    }
    box.append(drawTable(view.table));
    const links = [...view.links].sort((a, b) => (b[3] || 0) - (a[3] || 0)).slice(0, ARROWS);
    if (links.length) box.append(drawGraph(links));
    if (links.length < view.links.length) box.append(make("p", "note", `the ${ARROWS} surest of ${view.links.length} arrows`));
    return box;
  }

  function drawText(text) {
    const box = make("bdi", "text");
    let start = 0;
    for (const [words, ...numbers] of text.pieces) {
      const part = make("span", "", words);
      if (numbers.length) {
        part.classList.add("seg", "p-plain", "p" + Math.min(3, numbers.length));
        const begun = numbers.filter((n) => text.marks[n][1] === start).map((n) => text.marks[n][0]);
        const labels = [...new Set(begun)].filter(Boolean);
        if (labels.length) part.setAttribute("data-p", labels.join(" · "));
        part.title = numbers.map((n) => text.marks[n]).map(([label, , p]) => (p === null ? label : `${label} ${p.toFixed(3)}`)).join("\n");
      }
      box.append(part);
      start += Array.from(words).length;
    }
    return box;
  }

  function drawTable(table) {
    const box = make("div", "wide");
    if (table.rows.length) {
      const made = make("table"), head = make("tr"), body = make("tbody");
      for (const name of table.columns) head.append(make("th", "", name));
      for (const cells of table.rows) {
        const line = make("tr");
        for (const value of cells) {
          const number = typeof value === "number", cell = make("td", number ? "number" : "");
          const words = value === null ? "–" : number && !Number.isInteger(value) ? value.toFixed(4) : String(value);
          cell.append(make("bdi", "", words));
          line.append(cell);
        }
        body.append(line);
      }
      const top = make("thead");
      top.append(head);
      made.append(top, body);
      box.append(made);
    }
    if (table.note) box.append(make("p", "note", table.note));
    return box;
  }

  // -- beginning

  at("ask-form").addEventListener("submit", (event) => {
    event.preventDefault();
    predict();
  });
  at("text").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) predict();
  });
  at("run").addEventListener("change", chooseRun);
  at("example").addEventListener("change", () => {
    if (!at("example").selectedIndex) return;
    at("text").value = at("example").value;
    predict();
  });
  at("reset").addEventListener("click", () => {
    drawSliders();
    decode();
  });
  at("token-form").addEventListener("submit", (event) => {
    event.preventDefault();
    token = at("token").value;
    sessionStorage.setItem("ietool-token", token);
    begin();
  });

  // The part of an address behind # is not sent to any server, and leaves the address at once.
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given) history.replaceState(null, "", location.pathname);
  token = given || sessionStorage.getItem("ietool-token") || "";
  if (given) sessionStorage.setItem("ietool-token", given);
  begin();
})();
