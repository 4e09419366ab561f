// The conversation and the composer; the model is in worker.js.

import { split, write } from './answer.js';
import { Recorder, readSound } from './sound.js';

const find = (id) => document.getElementById(id);
const [log, question, send, state, attached] = ['log', 'question', 'send', 'state', 'attached'].map(find);
const worker = new Worker(new URL('worker.js', import.meta.url), { type: 'module' });
const messages = [];
let waiting = [];
let ready = null;
let running = null;

worker.onmessage = ({ data }) => ({ progress, ready: loaded, piece, done, error })[data.type](data);
worker.onerror = (event) => fail(event.message || 'The model could not be started.');
worker.postMessage({ type: 'load', dtype: new URLSearchParams(location.search).get('dtype') });

function progress({ loaded, total }) {
  find('progress').value = loaded / total;
  state.textContent = `Loading ${(loaded / 2 ** 20).toFixed(0)} of ${(total / 2 ** 20).toFixed(0)} MiB`;
}

function loaded(data) {
  ready = data;
  find('progress').hidden = true;
  find('think').disabled = !data.thinks;
  for (const id of ['attach', 'record']) find(id).hidden = !data.sees;
  state.textContent = `${data.dtype} on ${data.device === 'webgpu' ? 'WebGPU' : 'the processor'}`;
  update();
  question.focus();
}

function fail(text) {
  state.textContent = text;
  state.classList.add('bad');
  find('progress').hidden = true;
}

function update() {
  send.textContent = running ? 'Stop' : 'Send';
  send.disabled = !running && !(ready && (question.value.trim() || waiting.length));
  find('new').disabled = Boolean(running) || !messages.length;
  question.style.height = 'auto';
  question.style.height = `${question.scrollHeight + 2}px`;
}

function ask() {
  const text = question.value.trim();
  const pictures = waiting.filter((one) => one.kind === 'image');
  const sounds = waiting.filter((one) => one.kind === 'audio');
  messages.push({
    role: 'user',
    text,
    pictures: pictures.map((one) => one.file),
    sounds: sounds.flatMap((one) => one.pieces),
  });
  show('question', ...waiting.map((one) => one.element.firstChild), line(text));
  waiting = [];
  attached.replaceChildren();
  question.value = '';
  running = answerView();
  const system = find('system').value.trim();
  worker.postMessage({
    type: 'answer',
    messages: [...(system ? [{ role: 'system', text: system }] : []), ...messages],
    settings: {
      think: find('think').checked,
      temperature: Number(find('temperature').value),
      longest: Number(find('longest').value) || 1024,
    },
  });
  update();
}

function piece({ raw }) {
  running.write(split(raw, false));
}

function done({ raw, count, rate, wait, stopped }) {
  const said = split(raw, true);
  running.write(said);
  const end = stopped ? 'stopped, ' : '';
  running.end(`${end}${count} tokens, ${rate.toFixed(1)} a second, the first after ${(wait / 1000).toFixed(1)} s`);
  messages.push({ role: 'assistant', text: said.text });
  running = null;
  update();
}

function error({ during, text }) {
  if (during === 'load') return fail(text);
  running.end(text, 'error');
  // The question was not answered: it is no part of the conversation.
  messages.pop();
  running = null;
  update();
}

function answerView() {
  const thought = document.createElement('details');
  thought.className = 'thought';
  thought.hidden = true;
  const summary = document.createElement('summary');
  summary.textContent = 'Thought';
  const [inside, text] = [line(''), line('…')];
  thought.append(summary, inside);
  const view = show('answer', thought, text);
  return {
    write(said) {
      const follow = log.scrollHeight - log.scrollTop - log.clientHeight < 80;
      thought.hidden = !said.thought;
      write(inside, said.thought);
      write(text, said.text);
      if (follow) log.scrollTop = log.scrollHeight;
    },
    end(facts, kind = 'facts') {
      const note = document.createElement('p');
      note.className = kind;
      note.textContent = facts;
      view.append(note);
      log.scrollTop = log.scrollHeight;
    },
  };
}

function line(text) {
  const element = document.createElement('div');
  element.className = 'text';
  element.textContent = text;
  return element;
}

function show(kind, ...parts) {
  const element = document.createElement('article');
  element.className = kind;
  element.append(...parts);
  log.append(element);
  log.scrollTop = log.scrollHeight;
  return element;
}

async function attach(files) {
  if (!ready?.sees) return;
  for (const file of files) {
    const kind = file.type.split('/')[0];
    try {
      if (kind === 'image') wait({ kind, file }, picture(file));
      else if (kind === 'audio') wait({ kind, pieces: await readSound(file) }, player(file));
      else throw new Error('is neither a picture nor a sound');
    } catch (problem) {
      show('error', line(`${file.name}: ${problem.message}`));
    }
  }
  update();
}

function wait(one, view) {
  const element = document.createElement('li');
  const remove = document.createElement('button');
  remove.type = 'button';
  remove.textContent = 'Remove';
  remove.onclick = () => {
    waiting = waiting.filter((other) => other.element !== element);
    release(element);
    element.remove();
    update();
  };
  element.append(view, remove);
  waiting.push({ ...one, element });
  attached.append(element);
}

function picture(file) {
  const image = new Image();
  image.src = URL.createObjectURL(file);
  image.alt = file.name;
  return image;
}

function player(file) {
  const audio = new Audio(URL.createObjectURL(file));
  audio.preload = 'metadata';
  audio.controls = true;
  return audio;
}

/** Let the browser forget the pictures and sounds that are shown in an element. */
function release(element) {
  for (const { src } of element.querySelectorAll('img, audio')) URL.revokeObjectURL(src);
}

const recorder = new Recorder((file) => attach([file]));
find('record').onclick = async ({ target }) => {
  // A second click while the browser asks for permission would begin a second recording, which nothing ends.
  target.disabled = true;
  try {
    target.textContent = (await recorder.toggle()) ? 'End recording' : 'Record';
  } catch (problem) {
    show('error', line(`No microphone: ${problem.message}`));
  }
  target.disabled = false;
};
find('composer').onsubmit = (event) => {
  event.preventDefault();
  if (!running) return send.disabled || ask();
  worker.postMessage({ type: 'stop' });
};
find('new').onclick = () => {
  messages.length = 0;
  release(log);
  log.replaceChildren();
  update();
};
find('files').onchange = (event) => attach(event.target.files).finally(() => (event.target.value = ''));
question.oninput = update;
question.onpaste = (event) => attach(event.clipboardData.files);
question.onkeydown = (event) => {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  if (!running) find('composer').requestSubmit();
};
addEventListener('dragover', (event) => {
  event.preventDefault();
  find('drop').hidden = !ready?.sees;
});
addEventListener('dragleave', (event) => {
  if (!event.relatedTarget) find('drop').hidden = true;
});
addEventListener('drop', (event) => {
  event.preventDefault();
  find('drop').hidden = true;
  attach(event.dataTransfer.files);
});
fetch('web/name.json')
  .then((found) => found.json())
  .then(({ name }) => {
    find('name').textContent = document.title = name;
  });
update();
