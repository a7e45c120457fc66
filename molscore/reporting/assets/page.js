"use strict";
// One page: a table that sorts and filters, a map of the same rows, and the chosen molecule in 3D. Nothing is fetched.

const ROW = 72; // pixels, as in the style sheet
const byId = (id) => document.getElementById(id);
const make = (tag, text = "", name = "") => Object.assign(document.createElement(tag), { textContent: text, className: name });

async function unpacked(id) {
  const bytes = Uint8Array.from(atob(byId(id).textContent), (c) => c.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
}

async function main() {
  const { about, columns, rows, pictures, shapes, full } = JSON.parse(await unpacked("data"));
  const numeric = columns.map((column) => column.kind === "number");
  const filters = columns.map(() => null);
  const visible = columns.map((column) => column.shown);
  let order = rows.map((_, i) => i), sorted = null, chosen = null, viewer = null;
  byId("about").textContent = about;

  const shown = (column, value) =>
    value === null ? "" : numeric[column] ? value.toFixed(columns[column].digits) : String(value);

  // ---- filters: ">3", "<= 2.5", "1..3" or "= 2" for numbers; words, or "!word", for text
  function predicate(column, text) {
    text = text.trim();
    if (!text) return null;
    if (!numeric[column]) {
      const not = text.startsWith("!"), word = text.slice(not ? 1 : 0).toLowerCase();
      return (value) => String(value ?? "").toLowerCase().includes(word) !== not;
    }
    const range = text.match(/^(-?[\d.]+(?:e-?\d+)?)\s*\.\.\s*(-?[\d.]+(?:e-?\d+)?)$/i);
    if (range) return (value) => value !== null && value >= +range[1] && value <= +range[2];
    const bound = text.match(/^(>=|<=|>|<|=|!=)?\s*(-?[\d.]+(?:e-?\d+)?)$/i);
    if (!bound || Number.isNaN(+bound[2])) return undefined;
    const limit = +bound[2];
    const tests = { ">": (v) => v > limit, "<": (v) => v < limit, ">=": (v) => v >= limit, "<=": (v) => v <= limit, "=": (v) => v === limit, "!=": (v) => v !== limit };
    const test = tests[bound[1] || "="];
    return (value) => value !== null && test(value);
  }

  function arrange() {
    const words = byId("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    order = [];
    rows.forEach((row, i) => {
      if (filters.some((test, c) => test && !test(row[c]))) return;
      if (words.length) {
        const text = row.join(" ").toLowerCase();
        if (!words.every((word) => text.includes(word))) return;
      }
      order.push(i);
    });
    if (sorted) {
      const { column, down } = sorted, sign = down ? -1 : 1;
      const compare = numeric[column] ? (a, b) => a - b : (a, b) => String(a).localeCompare(String(b), undefined, { numeric: true });
      order.sort((i, j) => {
        const a = rows[i][column], b = rows[j][column];
        if (a === null || b === null) return (a === null) - (b === null) || i - j; // empty ones last, either way
        return sign * compare(a, b) || i - j;
      });
    }
    byId("count").textContent = order.length === rows.length ? `${rows.length} molecules` : `${order.length} of ${rows.length} molecules`;
    byId("table").scrollTop = 0;
    drawRows();
    drawMap();
  }

  // ---- table: only the rows in sight are in the page
  const table = make("table"), head = table.createTHead(), body = table.createTBody();
  byId("table").append(table);

  function drawHead() {
    head.replaceChildren();
    const names = head.insertRow(), tests = head.insertRow();
    names.append(make("th")); tests.append(make("th"));
    columns.forEach((column, c) => {
      if (!visible[c]) return;
      const name = make("th", column.label, sorted?.column === c ? `sorted ${sorted.down ? "down" : ""}` : "");
      name.title = column.name;
      name.onclick = () => {
        sorted = sorted?.column !== c ? { column: c, down: numeric[c] } : sorted.down === numeric[c] ? { column: c, down: !sorted.down } : null;
        drawHead(); arrange();
      };
      names.append(name);
      const input = make("input"), cell = make("th");
      input.value = filters[c]?.text ?? "";
      input.placeholder = numeric[c] ? ">, <, 1..2" : "contains";
      input.setAttribute("aria-label", `Filter ${column.label}`);
      input.oninput = () => {
        const test = predicate(c, input.value);
        input.classList.toggle("wrong", test === undefined);
        filters[c] = test ? Object.assign(test, { text: input.value }) : null;
        arrange();
      };
      cell.append(input); tests.append(cell);
    });
  }

  function drawRows() {
    const place = byId("table"), first = Math.max(0, Math.floor(place.scrollTop / ROW) - 4);
    const last = Math.min(order.length, first + Math.ceil(place.clientHeight / ROW) + 10);
    const gap = (n) => {
      const row = make("tr", "", "gap"), cell = make("td");
      cell.style.height = `${n * ROW}px`; row.append(cell);
      return row;
    };
    body.replaceChildren(gap(first), ...order.slice(first, last).map((i) => {
      const row = make("tr", "", i === chosen ? "chosen" : ""), picture = make("td", "", "picture");
      picture.innerHTML = pictures[i];
      row.append(picture);
      columns.forEach((_, c) => {
        if (!visible[c]) return;
        const cell = make("td", shown(c, rows[i][c]), numeric[c] ? "number" : "");
        cell.title = cell.textContent;
        row.append(cell);
      });
      row.onclick = () => choose(i);
      return row;
    }), gap(order.length - last));
  }
  byId("table").onscroll = drawRows;
  byId("table").onkeydown = (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step || event.target.tagName === "INPUT" || !order.length) return;
    event.preventDefault();
    const at = Math.min(Math.max(order.indexOf(chosen) + step, 0), order.length - 1);
    choose(order[at]);
    const place = byId("table"), top = at * ROW, room = place.clientHeight - head.offsetHeight - ROW;
    if (top < place.scrollTop) place.scrollTop = top;
    else if (top > place.scrollTop + room) place.scrollTop = top - room;
  };

  // ---- map
  const canvas = document.querySelector("#map canvas"), pen = canvas.getContext("2d");
  const axes = { x: byId("x"), y: byId("y"), tint: byId("tint") };
  const RAMP = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]]; // viridis
  const HUES = ["#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#777777"]; // Paul Tol's bright
  let dots = [];

  function ticks(low, high) {
    const rough = (high - low) / 5, power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough);
    const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9)), found = [];
    for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k++) found.push([k * step, (k * step).toFixed(digits)]);
    return found;
  }
  function range(c) {
    let low = Infinity, high = -Infinity;
    for (const row of rows) if (row[c] !== null) { low = Math.min(low, row[c]); high = Math.max(high, row[c]); }
    return low > high ? [0, 1] : [low, high];
  }
  function extent(c) {
    const [low, high] = range(c), margin = 0.04 * (high - low) || 0.5;
    return [low - margin, high + margin];
  }
  const kinds = (c) => [...new Set(rows.map((row) => row[c]))].sort();
  function tint(c) {
    if (c < 0) return () => "#4477aa";
    if (!numeric[c]) {
      const all = kinds(c);
      return (value) => HUES[Math.min(all.indexOf(value), HUES.length - 1)];
    }
    const [low, high] = range(c), span = high - low || 1;
    return (value) => {
      if (value === null) return "#bbbbbb";
      const t = (RAMP.length - 1) * (value - low) / span, k = Math.min(Math.floor(t), RAMP.length - 2);
      return `rgb(${RAMP[k].map((v, n) => Math.round(v + (t - k) * (RAMP[k + 1][n] - v)))})`;
    };
  }
  function drawMap() {
    const ratio = window.devicePixelRatio || 1, width = canvas.clientWidth, height = canvas.clientHeight;
    canvas.width = width * ratio; canvas.height = height * ratio;
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    const [cx, cy, ct] = [+axes.x.value, +axes.y.value, +axes.tint.value];
    if (!axes.x.value || width < 80 || height < 60) return;
    const [x0, x1] = extent(cx), [y0, y1] = extent(cy), left = 52, bottom = height - 34, right = width - 8, top = 6;
    const px = (v) => left + (right - left) * (v - x0) / (x1 - x0), py = (v) => bottom - (bottom - top) * (v - y0) / (y1 - y0);
    pen.font = "11px system-ui, sans-serif"; pen.fillStyle = "#5a6676"; pen.strokeStyle = "#e3e8ee";
    pen.textAlign = "center"; pen.textBaseline = "top";
    for (const [v, text] of ticks(x0, x1)) { pen.beginPath(); pen.moveTo(px(v), top); pen.lineTo(px(v), bottom); pen.stroke(); pen.fillText(text, px(v), bottom + 4); }
    pen.fillText(columns[cx].label, (left + right) / 2, bottom + 18);
    pen.textAlign = "right"; pen.textBaseline = "middle";
    for (const [v, text] of ticks(y0, y1)) { pen.beginPath(); pen.moveTo(left, py(v)); pen.lineTo(right, py(v)); pen.stroke(); pen.fillText(text, left - 4, py(v)); }
    pen.save(); pen.translate(9, (top + bottom) / 2); pen.rotate(-Math.PI / 2); pen.textAlign = "center"; pen.fillText(columns[cy].label, 0, 0); pen.restore();
    const inside = new Set(order), colour = tint(ct);
    dots = [];
    for (const kept of [false, true]) {
      rows.forEach((row, i) => {
        if (inside.has(i) !== kept || row[cx] === null || row[cy] === null) return;
        const dot = { i, x: px(row[cx]), y: py(row[cy]) };
        pen.beginPath(); pen.arc(dot.x, dot.y, kept ? 4 : 2.5, 0, 7);
        pen.globalAlpha = kept ? 0.8 : 0.35; pen.fillStyle = kept ? colour(ct < 0 ? null : row[ct]) : "#c4ccd6"; pen.fill();
        if (kept) dots.push(dot);
      });
    }
    pen.globalAlpha = 1;
    const key = byId("ramp");
    key.hidden = ct < 0;
    if (ct >= 0 && numeric[ct]) {
      const [low, high] = range(ct);
      key.replaceChildren(shown(ct, low), Object.assign(make("i"), { style: `background: linear-gradient(90deg, ${RAMP.map((c) => `rgb(${c})`)})` }), shown(ct, high));
    } else if (ct >= 0) {
      key.replaceChildren(...kinds(ct).map((kind) => Object.assign(make("b", kind ?? "none"), { style: `color: ${colour(kind)}` })));
    }
    const own = dots.find((dot) => dot.i === chosen);
    if (own) { pen.beginPath(); pen.arc(own.x, own.y, 8, 0, 7); pen.lineWidth = 2; pen.strokeStyle = "#111"; pen.stroke(); pen.lineWidth = 1; }
  }
  function nearest(event) {
    let best = null, least = 144;
    for (const dot of dots) {
      const square = (dot.x - event.offsetX) ** 2 + (dot.y - event.offsetY) ** 2;
      if (square < least) [best, least] = [dot, square];
    }
    return best;
  }
  const tip = byId("tip");
  canvas.onmousemove = (event) => {
    const dot = nearest(event);
    tip.hidden = !dot;
    if (!dot) return;
    tip.innerHTML = pictures[dot.i];
    tip.append(...["x", "y"].map((axis) => make("div", `${columns[+axes[axis].value].label} ${shown(+axes[axis].value, rows[dot.i][+axes[axis].value])}`)));
    tip.style.left = `${Math.min(dot.x + 18, canvas.clientWidth - 150)}px`;
    tip.style.top = `${Math.max(canvas.offsetTop + Math.min(dot.y - 20, canvas.clientHeight - 150), 0)}px`;
  };
  canvas.onmouseleave = () => { tip.hidden = true; };
  canvas.onclick = (event) => {
    const dot = nearest(event);
    if (!dot) return;
    choose(dot.i);
    byId("table").scrollTop = ROW * order.indexOf(dot.i) - byId("table").clientHeight / 3;
  };

  // ---- one molecule
  const paint = () => document.querySelector("input[name=paint]:checked").value;
  function shade(weight) { // red: less likely than expected; blue: more
    const s = Math.max(-1, Math.min(1, weight / full)), end = s > 0 ? [217, 64, 51] : [51, 102, 217];
    return `rgb(${end.map((v) => Math.round(235 + Math.abs(s) * (v - 235)))})`;
  }
  function drawMolecule() {
    const shape = shapes[chosen], place = byId("viewer"), weighted = Boolean(shape?.w);
    for (const input of document.querySelectorAll("input[name=paint]")) input.disabled = !weighted;
    byId("scale").textContent = weighted && paint() === "contribution" ? `red: less likely than expected of such an atom (full at ${full} nats), blue: more` : "";
    if (!shape || viewer === false) {
      if (viewer) { viewer.removeAllModels(); viewer.removeAllLabels(); viewer.render(); }
      return;
    }
    try {
      viewer ||= $3Dmol.createViewer(place, { backgroundColor: "white", antialias: true });
      if (!viewer) throw new Error();
    } catch {
      viewer = false;
      place.replaceChildren("3D needs WebGL, which this browser does not offer."); place.className = "empty";
      return;
    }
    const atoms = shape.e.map((elem, k) => ({
      elem, index: k, serial: k, x: shape.x[3 * k] / 1000, y: shape.x[3 * k + 1] / 1000, z: shape.x[3 * k + 2] / 1000, bonds: [], bondOrder: [],
    }));
    for (let k = 0; k < shape.b.length; k += 3) {
      const [a, b, n] = shape.b.slice(k, k + 3);
      atoms[a].bonds.push(b); atoms[a].bondOrder.push(n); atoms[b].bonds.push(a); atoms[b].bondOrder.push(n);
    }
    viewer.removeAllModels(); viewer.removeAllLabels();
    const model = viewer.addModel();
    model.addAtoms(atoms);
    const colour = weighted && paint() === "contribution" ? { colorfunc: (atom) => shade(shape.w[atom.index]) } : {};
    viewer.setStyle({}, { stick: { radius: 0.11, ...colour }, sphere: { scale: 0.24, ...colour } });
    if (byId("numbers").checked) for (const atom of atoms) {
      viewer.addLabel(atom.elem + atom.index, { position: atom, fontSize: 12, fontColor: "black", backgroundOpacity: 0, inFront: true, alignment: "center" });
    }
    viewer.resize(); viewer.zoomTo(); viewer.render();
  }
  function choose(i) {
    chosen = i;
    const facts = byId("facts"), list = make("dl");
    facts.innerHTML = pictures[i];
    columns.forEach((column, c) => {
      if (rows[i][c] !== null && rows[i][c] !== "") list.append(make("dt", column.label), make("dd", shown(c, rows[i][c])));
    });
    facts.append(list);
    facts.scrollTop = 0;
    drawRows(); drawMap(); drawMolecule();
  }
  byId("key").onchange = drawMolecule;

  // ---- the rest
  byId("search").oninput = arrange;
  byId("csv").onclick = () => {
    const quoted = (value) => /[",\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
    const lines = [columns.map((column) => quoted(column.name)), ...order.map((i) => rows[i].map((value) => quoted(String(value ?? ""))))];
    const link = make("a");
    link.href = URL.createObjectURL(new Blob([lines.map((line) => line.join(",") + "\n").join("")], { type: "text/csv" }));
    link.download = "molecules.csv";
    link.click();
  };
  columns.forEach((column, c) => {
    const label = make("label"), box = Object.assign(make("input"), { type: "checkbox", checked: visible[c] });
    box.onchange = () => { visible[c] = box.checked; drawHead(); drawRows(); };
    label.append(box, ` ${column.label}`);
    document.querySelector("#chooser div").append(label);
  });
  const option = (c) => Object.assign(make("option", c < 0 ? "none" : columns[c].label), { value: c });
  const numbers = columns.map((_, c) => c).filter((c) => numeric[c]);
  const varies = (c) => { const [low, high] = range(c); return high - low > 0.1; }; // kcal/mol: at minima of MMFF94s no strain is left
  const find = (names, otherwise, fits = () => true) => names.map((name) => columns.findIndex((column) => column.name === name)).find((c) => c >= 0 && numeric[c] && fits(c)) ?? otherwise;
  for (const axis of [axes.x, axes.y]) axis.append(...numbers.map(option));
  const few = (c) => kinds(c).length <= 12; // those beyond the hues share the last
  axes.tint.append(option(-1), ...columns.map((_, c) => c).filter((c) => numeric[c] || few(c)).map(option));
  axes.x.value = find(["percentile", "log_likelihood"], numbers[0]);
  axes.y.value = find(["codimension", "log_likelihood", "logp"], numbers[1] ?? numbers[0]);
  axes.tint.value = find(["strain", "log_likelihood", "mol_weight"], -1, varies);
  for (const axis of Object.values(axes)) axis.onchange = drawMap;
  new ResizeObserver(() => { drawRows(); drawMap(); if (viewer) { viewer.resize(); viewer.render(); } }).observe(document.querySelector("main"));

  const code = make("script");
  code.textContent = await unpacked("viewer-code");
  document.head.append(code);
  drawHead();
  arrange();
  if (order.length) choose(order[0]);
  document.body.dataset.ready = "true";
}

main().catch((error) => {
  byId("count").textContent = typeof DecompressionStream === "undefined" ? "This report needs a browser of 2023 or later." : `The report cannot be shown: ${error.message}`;
  throw error;
});
