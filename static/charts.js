"use strict";
// A server's charts: drawn from chart.json, sharing their time and cursor, read by keys. The page stands without them.
// Uses $ and $$ of signalbox.js, and uPlot.
(() => {
  const panel = $("#charts");
  if (!panel) return;
  const plots = new Map(); // by the chart's key: its element, its uPlot, and what it was drawn from
  let data = null, fetchedAt = 0, began = null;

  // Figures, written as apps/engine/units.py writes them ----------------------------------------------------------------
  const short = (value) => (Math.abs(value) >= 100 ? value.toFixed(0) : value.toFixed(1).replace(/\.0$/, ""));
  const MEMORY = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"], DISK = ["B", "kB", "MB", "GB", "TB", "PB"];
  const STEPS = [[31_536_000, "y"], [86_400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  const power = (value, base, most) => Math.min(most, value < base ? 0 : Math.floor(Math.log(value) / Math.log(base) + 1e-9));
  const scaled = (value, base, names) => {
    const at = power(Math.abs(value), base, names.length - 1);
    return `${at ? short(value / base ** at) : Math.trunc(value)} ${names[at]}`;
  };
  function duration(seconds) {
    if (seconds === 0) return "0 s";
    if (seconds < 0.001) return `${(seconds * 1e6).toFixed(0)} µs`;
    if (seconds < 1) return `${short(seconds * 1000)} ms`;
    if (seconds < 10) return `${short(seconds)} s`;
    const at = STEPS.findIndex(([size]) => seconds >= size), [size, unit] = STEPS[at];
    const whole = Math.floor(seconds / size), next = STEPS[at + 1];
    const rest = next && whole < 10 ? Math.floor((seconds % size) / next[0]) : 0;
    return rest ? `${whole} ${unit} ${rest} ${next[1]}` : `${whole} ${unit}`;
  }
  const WRITTEN = {
    memory: (value) => scaled(value, 1024, MEMORY),
    flow: (value) => `${scaled(value, 1000, DISK)}/s`,
    count: (value) => Math.round(value).toLocaleString("en"),
    rate: (value) => (value >= 10_000 ? `${short(value / 1000)} k/s` : `${value >= 10 ? Math.round(value).toLocaleString("en") : short(value)} /s`),
    share: (value) => `${value < 0.9995 ? (value * 100).toFixed(1).replace(/\.0$/, "") : 100} %`,
    duration,
  };
  // The unit of an axis: how much one is, and its name.
  const UNITS = {
    memory: (top) => { const at = power(top, 1024, 5); return [1024 ** at, MEMORY[at]]; },
    flow: (top) => { const at = power(top, 1000, 5); return [1000 ** at, `${DISK[at]}/s`]; },
    count: (top) => (top >= 10_000 ? [1000, "k"] : [1, ""]),
    rate: (top) => (top >= 10_000 ? [1000, "k/s"] : [1, "/s"]),
    share: () => [0.01, "%"],
    duration: (top) => (top < 0.001 ? [1e-6, "µs"] : top < 1 ? [0.001, "ms"] : top < 180 ? [1, "s"] : top < 10_800 ? [60, "min"] : top < 259_200 ? [3600, "h"] : [86_400, "d"]),
  };
  const two = (number) => String(number).padStart(2, "0");
  const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
  function moment(at_s, span_s) {
    const at = new Date(at_s * 1000), clock = `${two(at.getUTCHours())}:${two(at.getUTCMinutes())}`;
    if (span_s > 4 * 86_400) return `${at.getUTCDate()} ${MONTHS[at.getUTCMonth()]}`;
    return span_s < 900 ? `${clock}:${two(at.getUTCSeconds())}` : clock;
  }
  // Of a point: its day only where the chart has several, its seconds only where points are closer than a minute.
  const point = (at_s) => `${data.end_s - data.begin_s > 86_400 ? `${moment(at_s, Infinity)} ` : ""}${moment(at_s, data.step_s < 60 ? 0 : 1e5)} UTC`;
  const exactly = (at_s) => `${moment(at_s, Infinity)} ${moment(at_s, 0)} UTC`;

  // Colours, as the style sheet has them in the theme of now -------------------------------------------------------------
  function colour(name) {
    const probe = document.body.appendChild(Object.assign(document.createElement("i"), { className: name }));
    const found = getComputedStyle(probe).stroke;
    probe.remove();
    return found;
  }
  const pale = (rgb, share) => rgb.replace(/^rgb\((.*)\)$/, `rgba($1, ${share})`);

  // Drawing --------------------------------------------------------------------------------------------------------------
  const alone = (plot, place) => {
    const values = plot.data[place];
    return values.flatMap((value, i) => (value != null && values[i - 1] == null && values[i + 1] == null ? [i] : []));
  };
  const inUnit = (values, size) => values.map((value) => (value === null ? null : value / size));

  // What uPlot draws of one chart: its lines, the band and the earlier line of its first, in the unit of the axis.
  function drawn(chart) {
    const [size, unit] = UNITS[chart.measure](chart.ceiling), rows = [data.at_s], series = [{}], bands = [];
    const add = (values, how) => { rows.push(inUnit(values, size)); series.push({ spanGaps: false, ...how }); };
    for (const line of chart.lines) {
      const stroke = colour(`sw-${line.colour}`);
      const points = { show: true, size: 3, fill: stroke, filter: alone };
      if (line.before) add(line.before, { stroke: colour("sw-6"), width: 1, dash: [4, 4], points: { show: false } });
      if (line.least) {
        bands.push({ series: [series.length + 1, series.length], fill: pale(stroke, 0.16) });
        add(line.least, { points: { show: false } });
        add(line.most, { points: { show: false } });
      }
      add(line.mean, { stroke, width: 1.5, points, dash: line.dashed ? [4, 3] : undefined, fill: chart.filled ? pale(stroke, 0.12) : undefined });
    }
    const empty = chart.lines.every((line) => line.mean.every((value) => value === null));
    return { rows, series, bands, size, unit, empty };
  }

  // Letters side by side where their moments are too close, none beyond the right edge.
  function apart(at, room, most) {
    const places = [];
    for (const x of at) places.push(Math.max(x, (places.at(-1) ?? -Infinity) + room));
    for (let i = places.length - 1, edge = most; i >= 0; i -= 1, edge -= room) places[i] = Math.min(places[i], edge);
    return places;
  }

  function ruled(plot, chart, size) {
    const g = plot.ctx, k = devicePixelRatio, { left, top, width, height } = plot.bbox;
    g.save();
    g.lineWidth = k;
    if (chart.limit !== null) {
      const y = plot.valToPos(chart.limit / size, "y", true);
      Object.assign(g, { strokeStyle: colour("sw-limit") });
      g.setLineDash([5 * k, 4 * k]);
      g.beginPath(); g.moveTo(left, y); g.lineTo(left + width, y); g.stroke();
    }
    Object.assign(g, { font: `600 ${9.5 * k}px system-ui`, textAlign: "center", textBaseline: "middle", strokeStyle: colour("sw-ink"), fillStyle: colour("sw-ink") });
    const at = data.marks.map((mark) => Math.round(Math.min(Math.max(plot.valToPos(mark.at_s, "x", true), left), left + width - k)));
    g.setLineDash([2 * k, 2 * k]);
    g.globalAlpha = 0.7;
    for (const x of at) { g.beginPath(); g.moveTo(x, top); g.lineTo(x, top + height); g.stroke(); }
    g.globalAlpha = 1;
    apart(at, 10 * k, left + width - 3 * k).forEach((x, i) => g.fillText(data.marks[i].letter, x, top - 7 * k));
    g.restore();
  }

  function options(element, key) {
    const one = plots.get(key), { series, bands } = one.shape, ink = colour("sw-ink");
    const axis = { stroke: ink, font: "11px system-ui", ticks: { show: false } };
    const span = () => data.end_s - data.begin_s;
    return {
      width: element.clientWidth, height: 106, padding: [14, 12, 0, 0], legend: { show: false }, bands, series,
      tzDate: (at_s) => uPlot.tzDate(new Date(at_s * 1000), "Etc/UTC"),
      cursor: { y: false, drag: { x: true, y: false, setScale: false }, sync: { key: "server", setSeries: false }, points: { size: 6 } },
      scales: {
        x: { range: () => [data.begin_s, data.end_s] },
        y: { range: () => [one.chart.floor / one.shape.size, one.chart.ceiling / one.shape.size] },
      },
      axes: [
        { ...axis, size: 20, space: 70, grid: { show: false }, values: (_, at) => at.map((at_s) => moment(at_s, span())) },
        { ...axis, size: 56, space: 24, grid: { stroke: colour("sw-grid"), width: 1 }, values: (_, at) => at.map((value) => one.shape.empty ? "" : `${Number(value.toPrecision(6)).toLocaleString("en")} ${one.shape.unit}`.trim()) },
      ],
      hooks: {
        draw: [(plot) => ruled(plot, one.chart, one.shape.size)],
        setCursor: [(plot) => showReading(key, plot.cursor.left < 0 ? null : plot.cursor.idx)],
        setSelect: [(plot) => { if (plot.select.width > 4) zoom(plot.posToVal(plot.select.left, "x"), plot.posToVal(plot.select.left + plot.select.width, "x")); }],
      },
    };
  }

  const alike = (a, b) => a && JSON.stringify([a.size, a.series.length, a.bands.length]) === JSON.stringify([b.size, b.series.length, b.bands.length]);
  function draw({ anew = false } = {}) {
    for (const element of $$("[data-chart]", panel)) {
      const key = element.dataset.chart, chart = data.charts[key], former = plots.get(key);
      if (!chart) continue;
      const shape = drawn(chart), keep = former?.plot && !anew && alike(former.shape, shape);
      plots.set(key, Object.assign(former ?? { element }, { chart, shape }));
      $(".cc-from", element.parentElement).textContent = chart.begins_at && `from ${chart.begins_at}`;
      if (keep) { former.plot.setData(shape.rows); continue; }
      former?.plot?.destroy();
      element.replaceChildren();
      plots.get(key).plot = new uPlot(options(element, key), shape.rows, element);
    }
  }

  // Reading --------------------------------------------------------------------------------------------------------------
  function reading(key, place, at) {
    const { chart } = plots.get(key), write = WRITTEN[chart.measure], many = chart.lines.length > 1;
    const told = (value) => (value === null ? "not looked at" : write(value));
    const parts = chart.lines.map((line) => {
      const before = line.before ? `, ${data.before} ${told(line.before[place])}` : "";
      const band = !before && line.least && line.mean[place] !== null && write(line.least[place]) !== write(line.most[place]) ? ` (${write(line.least[place])} to ${write(line.most[place])})` : "";
      return `${many ? `${line.title} ` : ""}${told(line.mean[place])}${before}${band}`;
    });
    return `${at(data.at_s[place])}: ${parts.join("; ") || "nothing seen"}`;
  }
  function showReading(key, place) {
    const cell = plots.get(key).element.parentElement, line = $(".cc-read", cell);
    line.hidden = place == null;
    cell.classList.toggle("is-read", place != null);
    line.textContent = place == null ? "" : reading(key, place, point);
  }
  function pointAt(place) {
    for (const { plot } of plots.values()) {
      plot.setCursor(place === null ? { left: -10, top: -10 } : { left: plot.valToPos(data.at_s[place], "x"), top: 10 }, true, false);
    }
  }

  // Keys: from point to point ---------------------------------------------------------------------------------------------
  panel.addEventListener("keydown", (event) => {
    const key = event.target.dataset?.chart, one = plots.get(key);
    if (!one?.plot || !data.at_s.length || event.ctrlKey || event.metaKey || event.altKey) return;
    const last = data.at_s.length - 1, here = one.at ?? last + 1, by = event.shiftKey ? 10 : 1;
    const to = { ArrowLeft: here - by, ArrowRight: one.at == null ? 0 : here + by, Home: 0, End: last }[event.key];
    if (to !== undefined) {
      one.at = Math.min(Math.max(to, 0), last);
      pointAt(one.at);
      $("#live").textContent = reading(key, one.at, exactly);
    } else if (event.key === "Enter" && one.at != null) {
      if (began !== null && began !== data.at_s[one.at]) zoom(began, data.at_s[one.at]);
      else { began = data.at_s[one.at]; $("#live").textContent = `From ${exactly(began)}. Press Enter at another point to look closer.`; }
    } else if (event.key === "Escape") leave(one);
    else return;
    event.preventDefault();
  });
  panel.addEventListener("focusout", (event) => { const one = plots.get(event.target.dataset?.chart); if (one) leave(one); });
  function leave(one) {
    one.at = began = null;
    if (data) pointAt(null);
  }

  let leaving = false; // every synced chart tells of the same selection
  function zoom(from_s, to_s) {
    if (leaving) return;
    leaving = true;
    const there = new URL(location.href), [begin, end] = [Math.min(from_s, to_s), Math.max(from_s, to_s)];
    const middle = (begin + end) / 2, half = Math.max((end - begin) / 2, 30); // a minute is the shortest stretch
    for (const name of ["range", "table"]) there.searchParams.delete(name);
    there.hash = "";
    there.searchParams.set("from", new Date((middle - half) * 1000).toISOString().slice(0, 19));
    there.searchParams.set("to", new Date(Math.ceil(middle + half) * 1000).toISOString().slice(0, 19));
    location.assign(there);
  }

  // Data ------------------------------------------------------------------------------------------------------------------
  async function load() {
    fetchedAt = Date.now();
    try {
      const answer = await fetch(panel.dataset.charts, { headers: { Accept: "application/json" }, redirect: "manual", signal: AbortSignal.timeout(15_000) });
      if (!answer.ok) throw new Error(String(answer.status));
      data = await answer.json();
      draw();
    } catch {
      for (const element of $$("[data-chart]", panel)) {
        if (!plots.has(element.dataset.chart)) element.textContent = "The lines could not be fetched. R tries again.";
      }
    }
  }
  // The page's own refreshing leads: what is paused or in a hidden tab stays as it is.
  document.addEventListener("signalbox:swapped", ({ target }) => {
    if (target.id !== "server-now") return;
    for (const element of $$("[data-chart]", panel)) element.setAttribute("aria-label", $(".cc-top", element.parentElement).dataset.aria);
    const due = data && "live" in panel.dataset ? Math.max(data.step_s, 10) * 1000 : Infinity;
    if (!data || Date.now() - fetchedAt >= due) load();
  });
  new MutationObserver(() => { if (data) draw({ anew: true }); }).observe(document.documentElement, { attributeFilter: ["data-bs-theme"] });
  new ResizeObserver(() => {
    for (const { element, plot } of plots.values()) {
      if (plot && plot.width !== element.clientWidth) plot.setSize({ width: element.clientWidth, height: 106 });
    }
  }).observe(panel);
  load();
})();
