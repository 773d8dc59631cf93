// The page to try a model. Whatever comes from a user or a model becomes text, never markup.

const SHOWN = 10; // classes
const UNUSUAL = 0.95; // from which share on an item is unlike the training data
const UNSURE = 0.5; // below which probability a word is marked
const COLOURS = 6;
const ACCEPTED = { image: "image/*,.dcm,.dicom,.tif,.tiff", audio: "audio/*,.flac,.w64,.caf", text: "" };
const WHAT = { image: "pictures", audio: "recordings", text: "texts" };

const $ = (id) => document.getElementById(id);
let facts = null;
let asked = 0; // so that an answer that comes late does not replace a newer one
let token = sessionStorage.getItem("token") ?? "";
const urls = []; // of what is shown, to be given back

function element(name, text, attributes = {}) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

const percent = (share) => `${(100 * share).toFixed(share > 0.0995 && share < 0.9995 ? 0 : 1)} %`;

function either(names) {
  return names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} or ${names.at(-1)}`;
}

// ---- what the server is

async function start() {
  try {
    facts = await (await fetch("/health")).json();
  } catch {
    problem("The server does not answer.");
    return;
  }
  document.title = `Try ${facts.model}`;
  $("model").textContent = facts.model;
  $("about").textContent = [`It takes ${WHAT[facts.modality]} (${facts.kind}).`, ...facts.promises].join(" ");
  $("token-form").hidden = !facts.token || token !== "";
  if (facts.modality === "text") {
    $("text-form").hidden = false;
    return;
  }
  $("file-form").hidden = false;
  $("file").accept = ACCEPTED[facts.modality];
  $("file-label").textContent = `Choose ${WHAT[facts.modality]}`;
  const paste = facts.modality === "image" ? "or paste one, " : "";
  $("file-hint").textContent = `${paste}or drop them here; at most ${facts.limits.items} at once.`;
  $("recording").hidden = facts.modality !== "audio" || !canRecord();
}

// ---- asking

function problem(text) {
  $("problem").textContent = text;
  if (text) $("status").textContent = "";
}

async function ask(body, headers, given) {
  const number = (asked += 1);
  problem("");
  $("status").textContent = "Asking …";
  if (token) headers.Authorization = `Bearer ${token}`;
  let answer;
  let content;
  try {
    answer = await fetch("/predict", { method: "POST", body, headers });
    content = await answer.json();
  } catch {
    if (number === asked) problem("The server does not answer.");
    return;
  }
  if (number !== asked) return;
  if (answer.status === 401) {
    $("token-form").hidden = false;
    $("token").focus();
    problem(token ? "That is not this server's token." : "The server asks for a token.");
    forget();
  } else if (answer.ok) {
    show(given, content.predictions);
  } else {
    problem(content.error ?? `The server answered ${answer.status}.`);
  }
}

function forget() {
  token = "";
  sessionStorage.removeItem("token");
}

function askText() {
  const text = $("text").value;
  if (text.trim() === "") {
    problem("There is no text yet.");
    return;
  }
  ask(JSON.stringify({ inputs: [text] }), { "Content-Type": "application/json" }, [{ text }]);
}

function askFiles(files) {
  const given = Array.from(files);
  if (given.length === 0) return;
  if (given.length > facts.limits.items) {
    problem(`At most ${facts.limits.items} at once, and these are ${given.length}.`);
    return;
  }
  const form = new FormData();
  for (const file of given) form.append("files", file, file.name || "pasted");
  ask(form, {}, given.map((file) => ({ file })));
}

// ---- answers

function show(given, rows) {
  for (const url of urls.splice(0)) URL.revokeObjectURL(url);
  $("answers").replaceChildren(...rows.map((row, i) => card(given[i], row)));
  const failed = rows.filter((row) => "error" in row).length;
  const said = rows.length === 1 && !failed ? summary(rows[0]) : `${rows.length - failed} of ${rows.length} answered.`;
  $("status").textContent = said;
}

function summary(row) {
  if ("label" in row) return `Answer: ${row.label}, ${percent(row.probabilities[row.label] ?? 0)}.`;
  if ("labels" in row) return `Answer: ${row.labels.join(", ") || "none of the labels"}.`;
  if ("value" in row) return `Answer: ${row.value}.`;
  if ("spans" in row) return `${row.spans.length} found.`;
  return `It hears: ${row.transcript || "nothing"}`;
}

function card(given, row) {
  const made = element("article", undefined, { class: "answer" });
  made.append(element("h2", "error" in row ? "No answer" : heading(row)));
  let sound = null;
  if (given.file) {
    made.append(element("p", given.file.name || "pasted", { class: "given" }));
    sound = preview(made, given.file);
  }
  if ("error" in row) made.append(element("p", row.error, { class: "fault" }));
  else made.append(...parts(given, row, sound));
  return made;
}

function heading(row) {
  if ("label" in row) return row.abstain ? "It would rather not answer" : row.label;
  if ("labels" in row) return row.labels.join(", ") || "None of the labels";
  if ("value" in row) return String(Number(row.value.toPrecision(6)));
  if ("spans" in row) return row.spans.length ? `${row.spans.length} found` : "Nothing found";
  return "It hears";
}

function preview(place, file) {
  const url = URL.createObjectURL(file);
  urls.push(url);
  if (facts.modality === "image") {
    const image = element("img", undefined, { alt: `What was given: ${file.name || "a pasted picture"}` });
    image.addEventListener("error", () => image.replaceWith(element("p", "No preview of this kind.", { class: "hint" })));
    image.src = url;
    place.append(image);
    return null;
  }
  const sound = element("audio", undefined, { controls: "", preload: "metadata", "aria-label": `Play ${file.name}` });
  sound.src = url;
  place.append(sound);
  return sound;
}

function* parts(given, row, sound) {
  if (row.abstain) yield element("p", `It is not sure enough. The likeliest is ${row.label}.`, { class: "notice" });
  if ("novelty" in row) yield unusual(row.novelty);
  if (row.set?.length > 1) yield element("p", `It may be ${either(row.set)}.`);
  if ("probabilities" in row) yield* bars(row.probabilities);
  if ("spans" in row) yield tagged(given, row.spans);
  if ("transcript" in row) yield* heard(row, sound);
}

function unusual(share) {
  const much = `more unusual than ${percent(share)} of it`;
  if (share >= UNUSUAL) return element("p", `Unlike the training data: ${much}.`, { class: "notice" });
  return element("p", `Like the training data: ${much}.`, { class: "hint" });
}

function* bars(probabilities) {
  const sorted = Object.entries(probabilities).sort((a, b) => b[1] - a[1]);
  const list = element("dl", undefined, { class: "bars" });
  for (const [name, share] of sorted.slice(0, SHOWN)) {
    const bar = element("dd");
    const drawn = element("progress", undefined, { max: "1", "aria-label": `Probability of ${name}` });
    drawn.value = share;
    bar.append(drawn);
    list.append(element("dt", name), bar, element("dd", percent(share), { class: "share" }));
  }
  yield list;
  if (sorted.length > SHOWN) yield element("p", `and ${sorted.length - SHOWN} others`, { class: "hint" });
}

// Offsets count code points; JavaScript's own count halves of some.
function tagged(given, spans) {
  const text = Array.from(given.text);
  const colours = new Map();
  const place = element("p", undefined, { class: "tagged" });
  let done = 0;
  for (const [start, end, type, probability] of [...spans].sort((a, b) => a[0] - b[0])) {
    if (!colours.has(type)) colours.set(type, colours.size % COLOURS);
    const title = `${type}, ${percent(probability)}`;
    const mark = element("mark", text.slice(start, end).join(""), { class: `t${colours.get(type)}`, title });
    mark.append(element("span", ` ${type}`, { class: "type" }));
    place.append(text.slice(done, start).join(""), mark);
    done = end;
  }
  place.append(text.slice(done).join(""));
  return place;
}

function* heard(row, sound) {
  yield element("p", row.transcript || "(nothing)", { class: "transcript" });
  const list = element("ul", undefined, { class: "words", "aria-label": "Words; press one to hear it" });
  for (const [start, end, word, probability] of row.words) {
    const title = `${start.toFixed(2)} to ${end.toFixed(2)} s, ${percent(probability)}`;
    const button = element("button", word, { type: "button", title });
    if (probability < UNSURE) button.classList.add("unsure");
    button.addEventListener("click", () => {
      if (sound === null) return;
      sound.currentTime = start;
      sound.play();
    });
    const item = element("li");
    item.append(button);
    list.append(item);
  }
  yield list;
}

// ---- recording, as WAV: what browsers record by themselves (WebM) few libraries read

const canRecord = () => Boolean(navigator.mediaDevices?.getUserMedia && globalThis.AudioWorkletNode);
let recording = null;

async function record() {
  if (recording) {
    stop();
    return;
  }
  problem("");
  let stream;
  try {
    const audio = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
    stream = await navigator.mediaDevices.getUserMedia({ audio });
  } catch (error) {
    problem(error.name === "NotAllowedError" ? "The microphone may not be used." : "There is no microphone.");
    return;
  }
  const context = new AudioContext();
  await context.audioWorklet.addModule("/static/recorder.js");
  const node = new AudioWorkletNode(context, "recorder");
  const blocks = [];
  const most = Math.min(facts.limits.audio_seconds, facts.limits.body / 2 / context.sampleRate - 1);
  let count = 0;
  node.port.onmessage = ({ data }) => {
    blocks.push(data);
    count += data.length;
    $("record-hint").textContent = `${Math.floor(count / context.sampleRate)} s`;
    if (count >= most * context.sampleRate) stop();
  };
  context.createMediaStreamSource(stream).connect(node);
  recording = { stream, context, node, blocks };
  $("record").textContent = "Stop";
  $("record").setAttribute("aria-pressed", "true");
}

function stop() {
  const { stream, context, node, blocks } = recording;
  recording = null;
  node.port.onmessage = null;
  for (const track of stream.getTracks()) track.stop();
  $("record").textContent = "Record";
  $("record").setAttribute("aria-pressed", "false");
  $("record-hint").textContent = "";
  askFiles([new File([wav(blocks, context.sampleRate)], "recording.wav", { type: "audio/wav" })]);
  context.close();
}

function wav(blocks, rate) {
  const count = blocks.reduce((sum, block) => sum + block.length, 0);
  const view = new DataView(new ArrayBuffer(44 + 2 * count));
  const write = (at, text) => Array.from(text).forEach((letter, i) => view.setUint8(at + i, letter.charCodeAt(0)));
  write(0, "RIFF");
  view.setUint32(4, 36 + 2 * count, true);
  write(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true); // PCM
  view.setUint16(22, 1, true); // channels
  view.setUint32(24, rate, true);
  view.setUint32(28, 2 * rate, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  write(36, "data");
  view.setUint32(40, 2 * count, true);
  let at = 44;
  for (const block of blocks) {
    for (const sample of block) {
      view.setInt16(at, Math.round(Math.max(-1, Math.min(1, sample)) * 32767), true);
      at += 2;
    }
  }
  return view.buffer;
}

// ---- events

$("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  token = $("token").value.trim();
  sessionStorage.setItem("token", token);
  $("token").value = "";
  $("token-form").hidden = true;
  problem("");
});
$("text-form").addEventListener("submit", (event) => {
  event.preventDefault();
  askText();
});
$("text").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) askText();
});
$("file").addEventListener("change", () => {
  askFiles($("file").files);
  $("file").value = ""; // so that the same file can be chosen again
});
$("record").addEventListener("click", record);
for (const kind of ["dragenter", "dragover", "dragleave", "drop"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    $("drop").classList.toggle("over", kind === "dragenter" || kind === "dragover");
    if (kind === "drop" && facts && facts.modality !== "text") askFiles(event.dataTransfer.files);
  });
}
document.addEventListener("paste", (event) => {
  if (facts && facts.modality !== "text") askFiles(event.clipboardData.files);
});

start();
