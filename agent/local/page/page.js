// The installer's page. It lays out what /api/status says, once a second; every judgement and sentence is made by the agent.

const POLL_MS = 1000;
const ANSWER_MS = 4000;
const root = document.documentElement;
const LOCALES = { vi: "vi-VN", en: "en-GB" };

const WORDS = {
  vi: {
    live: "trực tiếp",
    connecting: "đang nối",
    lostShort: "mất kết nối",
    lost: (time) => `Agent không trả lời từ ${time}. Số liệu dưới đây là của lúc đó; trang tự nối lại.`,
    lostFirst: "Agent không trả lời. Trang tự nối lại.",
    language: "Ngôn ngữ",
    toLight: "Sáng",
    toDark: "Tối",
    site: "Nhà máy",
    meters: "Đồng hồ trả lời",
    of: "trên",
    allGood: "giá trị đều trong khoảng mong đợi",
    attention: (count) => `${count} đồng hồ cần xem`,
    uplink: "Gửi về trung tâm",
    unconfirmed: "Gói chờ xác nhận",
    window: (used, all) => `đang gửi ${used} trong cửa sổ ${all}`,
    sent: (sent, resent) => `đã gửi ${sent}, gửi lại ${resent}`,
    journal: "Nhật ký trên đĩa",
    bound: (size) => `giới hạn ${size}`,
    setAsideFiles: "Tệp để riêng",
    bus: "Bus",
    load: "tải",
    lineTime: (needed, available) => `cần ${needed} trong ${available} ms`,
    overruns: (count) => (count === 0 ? "chưa lỡ nhịp" : `${count} lần lỡ nhịp`),
    shared: (ids) => `dùng chung với ${ids}`,
    frames: "Khung dữ liệu",
    framesNote: "50 lượt hỏi đáp gần nhất; chỉ ghi khi trang này đang xem.",
    framesNone: "Chưa có lượt nào kể từ khi mở.",
    time: "Lúc",
    took: "ms",
    request: "Hỏi: unit, hàm, địa chỉ, số lượng",
    reply: "Trả lời",
    results: {
      words: "",
      exception: "từ chối",
      timeout: "không trả lời",
      garbled: "hỏng",
      unreachable: "không nối được",
    },
    unit: "unit",
    ago: (age) => (age === "" ? "vừa đọc" : `${age} trước`),
    lastError: "Lỗi gần nhất",
    expected: "mong đợi",
    noValue: "không có giá trị",
    noneYet: "Chưa có giá trị nào.",
    outOfRange: "Cần xem",
    counters: "Bộ đếm",
    interval: "khoảng gần nhất",
    noInterval: "chưa khép khoảng nào",
    flags: { M: "đo", C: "tính", S: "chia theo thời gian", E: "ước tính", X: "thiếu" },
    more: (count) => `${count} giá trị khác`,
    setAside: (count) => `${count} khối thanh ghi phải bỏ qua`,
    settings: (count) => `${count} thông số cài đặt và số máy`,
    registers: (fc, from, to) => `hàm ${fc}, ${from}${to > from ? `–${to}` : ""}`,
    lastPoll: (ms) => `lượt hỏi vừa rồi ${ms} ms`,
    levels: { ok: "bình thường", watch: "cần xem", bad: "có lỗi", idle: "chưa biết" },
    foot: "Trang chạy ngay trên gateway, không cần internet, chỉ đọc.",
    clock: "Giờ gateway",
  },
  en: {
    live: "live",
    connecting: "connecting",
    lostShort: "connection lost",
    lost: (time) =>
      `The agent has not answered since ${time}. The figures below are from then; the page reconnects by itself.`,
    lostFirst: "The agent does not answer. The page reconnects by itself.",
    language: "Language",
    toLight: "Light",
    toDark: "Dark",
    site: "Site",
    meters: "Meters answering",
    of: "of",
    allGood: "all values within what is expected",
    attention: (count) => `${count} ${count === 1 ? "meter needs" : "meters need"} a look`,
    uplink: "Uplink",
    unconfirmed: "Unconfirmed batches",
    window: (used, all) => `${used} in flight, window ${all}`,
    sent: (sent, resent) => `${sent} sent, ${resent} sent again`,
    journal: "Journal on disk",
    bound: (size) => `bound ${size}`,
    setAsideFiles: "Files set aside",
    bus: "Bus",
    load: "load",
    lineTime: (needed, available) => `needs ${needed} of ${available} ms`,
    overruns: (count) => (count === 0 ? "no beat missed" : `${count} ${count === 1 ? "beat" : "beats"} missed`),
    shared: (ids) => `shared with ${ids}`,
    frames: "Raw frames",
    framesNote: "The last 50 exchanges; recorded only while this page looks.",
    framesNone: "No exchange since this was opened.",
    time: "At",
    took: "ms",
    request: "Asked: unit, function, address, count",
    reply: "Answer",
    results: {
      words: "",
      exception: "refused",
      timeout: "no answer",
      garbled: "garbled",
      unreachable: "unreachable",
    },
    unit: "unit",
    ago: (age) => (age === "" ? "just read" : `${age} ago`),
    lastError: "Last error",
    expected: "expected",
    noValue: "no value",
    noneYet: "No value yet.",
    outOfRange: "Needs a look",
    counters: "Counters",
    interval: "last interval",
    noInterval: "no interval closed yet",
    flags: { M: "measured", C: "computed", S: "shared out over time", E: "estimated", X: "missing" },
    more: (count) => `${count} more ${count === 1 ? "value" : "values"}`,
    setAside: (count) => `${count} register ${count === 1 ? "block" : "blocks"} set aside`,
    settings: (count) => `${count} ${count === 1 ? "setting" : "settings"} and identity`,
    registers: (fc, from, to) => `function ${fc}, ${from}${to > from ? `–${to}` : ""}`,
    lastPoll: (ms) => `last poll ${ms} ms`,
    levels: { ok: "normal", watch: "needs a look", bad: "faulty", idle: "unknown" },
    foot: "Served by the gateway itself: needs no internet, only reads.",
    clock: "Gateway clock",
  },
};

let lang = root.lang === "en" ? "en" : "vi";
let status = null;
/** Instant of the last answer, by this device's clock; null = none yet. */
let answeredAt_ms = null;
let isLost = false;
/** Bus id → frames, of the buses whose frames are open. */
const frames = new Map();

const words = () => WORDS[lang];
const say = (text) => text[lang];

// ---- figures --------------------------------------------------------------------------------------------------------

const number = (value, digits) =>
  value
    .toLocaleString(LOCALES[lang], { minimumFractionDigits: digits, maximumFractionDigits: digits })
    .replace("-", "−");

const DIGITS = { V: 1, Hz: 2, A: 1, "": 2, W: 0, var: 0, VA: 0 };

/** Power in kilo where it or its limit reaches a thousand; one unit for both. */
const isKilo = (value, unit, expected) =>
  ["W", "var", "VA"].includes(unit) && Math.max(Math.abs(value), Math.abs(expected?.high ?? 0)) >= 1000;

function shown(value, unit, expected) {
  if (value === null) return { number: "–", unit: "" };
  if (!isKilo(value, unit, expected)) return { number: number(value, DIGITS[unit] ?? 1), unit };
  return { number: number(value / 1000, Math.abs(value) >= 100_000 ? 0 : 1), unit: `k${unit}` };
}

/** In the unit that the value beside it is shown in. */
function rangeText(value, unit, expected) {
  const divisor = isKilo(value ?? 0, unit, expected) ? 1000 : 1;
  const plain = (limit) => (limit / divisor).toLocaleString(LOCALES[lang], { maximumFractionDigits: 1 });
  return `${plain(expected.low).replace("-", "−")}…${plain(expected.high)}`;
}

function bytesText(bytes) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let size = bytes;
  let unit = 0;
  while (size >= 1024 && unit < units.length - 1) {
    size /= 1024;
    unit += 1;
  }
  return `${number(size, unit === 0 || size >= 100 ? 0 : 1)} ${units[unit]}`;
}

/** Empty for what is as new as it can be. */
function ageText(age_ms) {
  const seconds = Math.max(0, Math.round(age_ms / 1000));
  if (seconds < 3) return "";
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 120) return `${minutes} ${lang === "vi" ? "phút" : "min"}`;
  return `${Math.floor(minutes / 60)} ${lang === "vi" ? "giờ" : "h"}`;
}

/** The wall clock of the site, wherever this browser thinks it is. */
function timeText(at_ms, withSeconds = true) {
  return new Date(at_ms).toLocaleTimeString("en-GB", {
    timeZone: status.time_zone,
    hour: "2-digit",
    minute: "2-digit",
    ...(withSeconds ? { second: "2-digit" } : {}),
  });
}

function dateText(at_ms) {
  return new Date(at_ms).toLocaleDateString(LOCALES[lang], {
    timeZone: status.time_zone,
    day: "2-digit",
    month: "2-digit",
    year: "numeric",
  });
}

// ---- the tree of the page, and bringing it onto the screen ----------------------------------------------------------

/** `h("p.small", {title: "…"}, "text", child)`; null children are left out. */
function h(kind, attributes, ...children) {
  const [tag, ...classes] = kind.split(".");
  const element = document.createElement(tag);
  if (classes.length > 0) element.className = classes.join(" ");
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value !== null && value !== undefined && value !== false)
      element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(9).filter((child) => child !== null && child !== ""));
  return element;
}

/** Makes `shownNode` look like `fresh` and leaves alone what is the same, so that focus, selection and scroll stay. */
function patch(shownNode, fresh) {
  if (shownNode.nodeName !== fresh.nodeName || shownNode.dataset?.key !== fresh.dataset?.key) {
    shownNode.replaceWith(fresh);
    return;
  }
  if (fresh.nodeType === Node.TEXT_NODE) {
    if (shownNode.data !== fresh.data) shownNode.data = fresh.data;
    return;
  }
  // Whether a fold is open is the reader's business.
  const isTheirs = (name) => name === "open" && fresh.nodeName === "DETAILS";
  for (const { name } of [...shownNode.attributes]) {
    if (!fresh.hasAttribute(name) && !isTheirs(name)) shownNode.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (shownNode.getAttribute(name) !== value) shownNode.setAttribute(name, value);
  }
  if (fresh.value !== undefined && shownNode.value !== fresh.value) shownNode.value = fresh.value;
  patchChildren(shownNode, [...fresh.childNodes]);
}

function patchChildren(parent, fresh) {
  const old = [...parent.childNodes];
  for (const [i, child] of fresh.entries()) {
    if (old[i] === undefined) parent.append(child);
    else patch(old[i], child);
  }
  for (const extra of old.slice(fresh.length)) extra.remove();
}

// ---- parts ----------------------------------------------------------------------------------------------------------

const DOTS = { ok: "i.dot", watch: "i.dot.dot-warn", bad: "i.dot.dot-bad", idle: "i.dot.dot-unknown" };
const TONES = { ok: "", watch: ".warn-text", bad: ".bad-text", idle: ".quiet" };

const dot = (level) => h(DOTS[level], { role: "img", "aria-label": words().levels[level] });

function meter(share, level) {
  const max = 100;
  return h("meter.bar", {
    min: 0,
    max,
    value: Math.min(max, Math.round(share)),
    "data-level": level,
    "aria-hidden": "true",
  });
}

function figure(label, value, unit, notes) {
  return h(
    "div.fig",
    {},
    h("p.fig-label", {}, label),
    h("p.num", {}, value, unit === "" ? null : h("span.unit", {}, unit)),
    ...notes.map((note) => h("p.sub", {}, note)),
  );
}

function topBar() {
  const text = words();
  const { gateway, site, zone, software, now_ms } = status ?? {};
  const isDark = root.dataset.theme === "dark";
  const line = isLost ? "bad" : status === null ? "idle" : "ok";
  const language = (code) =>
    h("button", { "data-lang": code, "aria-pressed": String(lang === code), lang: code }, code.toUpperCase());
  return [
    h("img.logo", { src: "/look/icon.svg", alt: "", width: 18, height: 18 }),
    h("h1", {}, gateway ?? "Gateway"),
    status === null ? null : h("p.where", {}, `${site} · ${zone}`, h("span.quiet.software", {}, ` · ${software}`)),
    h(
      "div.tools",
      {},
      h("span.state", {}, dot(line), isLost ? text.lostShort : status === null ? text.connecting : text.live),
      status === null
        ? null
        : h("time.clock", { title: text.clock }, h("span.date", {}, `${dateText(now_ms)} `), timeText(now_ms)),
      h("div.langs", { role: "group", "aria-label": text.language }, language("vi"), language("en")),
      h("button.theme", { "data-theme-to": isDark ? "light" : "dark" }, isDark ? text.toLight : text.toDark),
    ),
  ];
}

function strip() {
  const text = words();
  const meters = status.buses.flatMap((bus) => bus.meters);
  const answering = meters.filter(({ isAnswering }) => isAnswering);
  const needLook = meters.filter((one) => levelOf(one) === "bad" || levelOf(one) === "watch").length;
  const { uplink, journal } = status;
  const journalSize = bytesText(journal.bytes).split(" ");
  return h(
    "section.panel.strip",
    {},
    figure(text.meters, String(answering.length), ` ${text.of} ${meters.length}`, [
      needLook === 0 ? text.allGood : h("span.warn-text", {}, text.attention(needLook)),
    ]),
    figure(text.unconfirmed, number(uplink.unconfirmed, 0), "", [
      text.window(bytesText(uplink.inFlight_bytes), bytesText(uplink.window_bytes)),
      text.sent(number(uplink.sent, 0), number(uplink.resent, 0)),
    ]),
    h(
      "div.fig.fig-words",
      {},
      h("p.fig-label", {}, text.uplink),
      h("p.said", {}, dot(uplink.level), say(uplink.text)),
      h("p.sub.address", {}, uplink.url),
    ),
    figure(text.journal, journalSize[0], ` ${journalSize[1]}`, [
      text.bound(bytesText(journal.bound_bytes)),
      h(`span${TONES[journal.level]}`, {}, say(journal.text)),
      ...journal.setAside.map((file) => h("code", {}, file)),
    ]),
  );
}

function busPanel(bus) {
  const text = words();
  const isOpen = frames.has(bus.id);
  const loadLevel = bus.needed_ms > bus.available_ms ? "bad" : bus.isOverloaded || bus.load_pct > 80 ? "watch" : "ok";
  return h(
    "section.panel.bus",
    { "data-key": bus.id, "aria-label": `${text.bus} ${bus.id}` },
    h(
      "div.panel-head",
      {},
      h("h2", {}, dot(bus.state.level), `${text.bus} ${bus.id}`),
      h("span.panel-note.address", {}, bus.url),
      h(`span.small${TONES[bus.state.level]}`, {}, say(bus.state.text)),
      bus.sharedWith.length === 0 ? null : h("span.panel-note", {}, text.shared(bus.sharedWith.join(", "))),
      h(
        "div.panel-tools",
        {},
        h(
          "span.load",
          {},
          meter(bus.load_pct, loadLevel),
          `${text.load} ${number(bus.load_pct, bus.load_pct < 10 ? 1 : 0)} %`,
        ),
        h("span.quiet", {}, text.lineTime(number(bus.needed_ms, 0), number(bus.available_ms, 0))),
        h(`span${bus.isOverloaded ? TONES[bus.state.level] : ".quiet"}`, {}, text.overruns(bus.overruns)),
        h("button.button", { "data-frames": bus.id, "aria-expanded": String(isOpen) }, text.frames),
      ),
    ),
    isOpen ? framesTable(frames.get(bus.id)) : null,
    h("div.meters", {}, bus.meters.map(meterRow)),
  );
}

/** A meter is as its answers are, or as the worst of its values. */
function levelOf({ state, worst }) {
  if (state.level === "bad" || state.level === "idle") return state.level;
  if (worst === "bad") return "bad";
  return worst === "watch" ? "watch" : state.level;
}

function meterRow(one) {
  const text = words();
  const main = one.values.filter(({ isMain }) => isMain);
  const others = one.values.filter(({ isMain }) => !isMain);
  const complaints = one.values.filter(({ level, isOld }) => level !== "ok" && !isOld);
  const newest_ms = Math.min(...one.values.map(({ age_ms }) => age_ms));
  return h(
    "article.meter-row",
    { "data-key": one.id, "aria-label": say(one.name) },
    h(
      "div.meter-head",
      {},
      h("h3", {}, dot(levelOf(one)), say(one.name)),
      h("span.quiet", {}, `${one.id} · ${text.unit} ${one.unit} · ${one.model} · ${say(one.carrier)}`),
      h(`span.meter-state${TONES[one.state.level] || ".quiet"}`, {}, say(one.state.text)),
      one.values.length === 0
        ? null
        : h(
            `span.age${one.values.every(({ isOld }) => isOld) ? ".warn-text" : ".quiet"}`,
            {},
            text.ago(ageText(newest_ms)),
          ),
    ),
    one.lastError === null
      ? null
      : h(
          `p.error${one.isAnswering ? ".quiet" : ""}`,
          { title: one.lastError.detail },
          h("span.quiet", {}, `${text.lastError} `),
          say(one.lastError.text),
        ),
    one.values.length === 0 ? null : h("ul.values", {}, main.map(valueCell)),
    complaints.length === 0 ? null : h("ul.complaints", {}, complaintLines(complaints)),
    one.counters.length === 0 ? null : h("ul.counters", { "aria-label": text.counters }, one.counters.map(counterLine)),
    others.length + one.setAside.length + one.settings.length === 0
      ? null
      : h("div.folds", {}, setAsideFold(one), othersFold(others), settingsFold(one)),
  );
}

function valueCell({ name, value, unit, expected, level, isOld }) {
  const text = words();
  const figureShown = shown(value, say(unit), expected);
  return h(
    `li.value${isOld ? ".old" : ""}`,
    { "data-level": level },
    h("span.value-name", {}, say(name)),
    h("span.value-number", {}, h("b", {}, figureShown.number), h("span.unit", {}, ` ${figureShown.unit}`)),
    h("span.value-range", {}, expected === null ? "" : `${text.expected} ${rangeText(value, say(unit), expected)}`),
  );
}

/** One line a reason, with all values it holds for; what is wrong before what is unusual. */
function complaintLines(values) {
  const lines = new Map();
  for (const { name, level, why } of values) {
    const reason = why === null ? words().outOfRange : say(why);
    const line = lines.get(reason) ?? { reason, level, names: [] };
    line.names.push(say(name));
    lines.set(reason, line);
  }
  return [...lines.values()]
    .sort((a, b) => (a.level === "bad" ? 0 : 1) - (b.level === "bad" ? 0 : 1))
    .map(({ reason, level, names }) => h(`li${TONES[level]}`, {}, h("b", {}, `${names.join(", ")}:`), ` ${reason}`));
}

function counterLine({ name, total, unit, interval }) {
  const text = words();
  const amount = (decimal) => Number(decimal).toLocaleString(LOCALES[lang], { maximumFractionDigits: 3 });
  const span = () => `${timeText(interval.from_ms, false)}–${timeText(interval.to_ms, false)}`;
  const counted = () => (interval.amount === null ? "–" : `${amount(interval.amount)} ${say(unit)}`);
  const share = () => `${text.flags[interval.flag]} ${number(100 * interval.coverage, 0)} %`;
  return h(
    "li",
    {},
    h("span.value-name", {}, say(name)),
    h("span.total", {}, h("b", {}, total === null ? "–" : amount(total)), h("span.unit", {}, ` ${say(unit)}`)),
    h(
      "span.quiet",
      {},
      interval === null
        ? total === null
          ? ""
          : text.noInterval
        : `${text.interval} ${span()}: ${counted()}, ${share()}`,
    ),
  );
}

function othersFold(values) {
  if (values.length === 0) return null;
  return h(
    "details",
    { "data-key": "others" },
    h("summary", {}, words().more(values.length)),
    h("ul.values", {}, values.map(valueCell)),
  );
}

function settingsFold({ settings }) {
  const text = words();
  if (settings.length === 0) return null;
  const hasChanged = settings.some(({ changed }) => changed !== null);
  return h(
    "details",
    { "data-key": "settings" },
    h(`summary${hasChanged ? ".warn-text" : ""}`, {}, text.settings(settings.length)),
    h(
      "ul.complaints",
      {},
      settings.map(({ label, value, unit, changed }) =>
        h(
          "li",
          {},
          h("b", {}, `${say(label)}: ${value}${unit === "" ? "" : ` ${unit}`}`),
          changed === null ? "" : ` ${say(changed)}`,
        ),
      ),
    ),
  );
}

function setAsideFold({ setAside }) {
  const text = words();
  if (setAside.length === 0) return null;
  return h(
    "details",
    { open: true, "data-key": "set-aside" },
    h("summary.warn-text", {}, text.setAside(setAside.length)),
    h(
      "ul.complaints",
      {},
      setAside.map(({ fc, address, count, registers, why }) =>
        h(
          "li",
          {},
          h("b", {}, text.registers(fc, address, address + count - 1)),
          ` ${registers.join(", ")}: ${say(why)}`,
        ),
      ),
    ),
  );
}

function framesTable(list) {
  const text = words();
  if (list.length === 0) return h("p.empty", {}, text.framesNone, " ", text.framesNote);
  const row = ({ at_ms, took_ms, request_hex, result, words_hex, detail }) =>
    h(
      "tr",
      { "data-result": result },
      h("td", {}, timeText(at_ms)),
      h("td.right", {}, number(took_ms, 1), h("span.quiet.took-unit", {}, " ms")),
      h("td", {}, h("code", {}, request_hex)),
      h(
        "td",
        {},
        words_hex === null
          ? h("span.bad-text", {}, text.results[result], detail === null ? "" : ` ${detail}`)
          : h("code", {}, words_hex),
      ),
    );
  return h(
    "div.frames",
    {},
    h("p.panel-note", {}, text.framesNote),
    h(
      "div.frames-scroll",
      { tabindex: 0, role: "region", "aria-label": text.frames },
      h(
        "table",
        {},
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            ...[text.time, text.took, text.request, text.reply].map((head) => h("th", { scope: "col" }, head)),
          ),
        ),
        h("tbody", {}, [...list].reverse().map(row)),
      ),
    ),
  );
}

// ---- living ---------------------------------------------------------------------------------------------------------

function draw() {
  const text = words();
  root.lang = lang;
  patchChildren(
    document.getElementById("top"),
    topBar().filter((part) => part !== null),
  );
  const lost = document.getElementById("lost");
  const said = !isLost ? "" : status === null ? text.lostFirst : text.lost(timeText(answeredAt_ms));
  if (lost.textContent !== said) lost.textContent = said;
  if (status === null) return;
  document.title = `${status.gateway} · Khu Xanh`;
  const main = document.getElementById("main");
  main.classList.toggle("is-lost", isLost);
  patchChildren(main, [strip(), ...status.buses.map(busPanel), h("p.foot", {}, text.foot)]);
}

async function ask(path) {
  const response = await fetch(path, { signal: AbortSignal.timeout(ANSWER_MS), cache: "no-store" });
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return response.json();
}

async function refresh() {
  try {
    const fresh = await ask("/api/status");
    for (const bus of [...frames.keys()]) {
      const answer = await ask(`/api/frames?bus=${encodeURIComponent(bus)}`);
      if (frames.has(bus)) frames.set(bus, answer.frames);
    }
    status = fresh;
    answeredAt_ms = Date.now();
    isLost = false;
  } catch {
    isLost = true;
  }
  draw();
}

async function live() {
  for (;;) {
    if (!document.hidden) await refresh();
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

function remember(key, value) {
  try {
    localStorage.setItem(key, value);
  } catch {
    // Storage may be forbidden; the choice then holds until the page is closed.
  }
}

document.addEventListener("click", ({ target }) => {
  const button = target.closest("button");
  if (button === null) return;
  const { lang: toLang, themeTo, frames: bus } = button.dataset;
  if (toLang !== undefined) {
    lang = toLang;
    remember("khuxanh.lang", lang);
  }
  if (themeTo !== undefined) {
    root.dataset.theme = themeTo;
    remember("khuxanh.theme", themeTo);
  }
  if (bus !== undefined) {
    if (!frames.delete(bus)) frames.set(bus, []);
    void refresh();
  }
  draw();
});

draw();
void live();
