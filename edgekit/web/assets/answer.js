// What a model says, as it comes: its thought apart from its answer, and both as text that cannot become markup.

const OPENS = '<|channel>thought\n';
const CLOSES = '<channel|>';
// The beginning of a control token at the end of what has come so far.
const UNFINISHED = /<[|a-z_"]*$/;
const CONTROL = /<turn\|>|<\|channel>(?:thought\n?)?|<channel\|>|<eos>/g;

/** Split what has come so far into thought and answer. */
export function split(raw, finished) {
  let thought = '';
  let text = raw;
  const start = raw.indexOf(OPENS);
  if (start >= 0) {
    const end = raw.indexOf(CLOSES, start);
    thought = raw.slice(start + OPENS.length, end < 0 ? undefined : end);
    text = end < 0 ? '' : raw.slice(end + CLOSES.length);
  }
  const clean = (part) => (finished ? part : part.replace(UNFINISHED, '')).replace(CONTROL, '').trim();
  return { thought: clean(thought), text: clean(text) };
}

/** Put text into an element, with code, and bold words, as Markdown has them. */
export function write(element, text) {
  element.replaceChildren(...text.split(/```/).flatMap((part, index) => (index % 2 ? [block(part)] : inline(part))));
}

function block(part) {
  const code = document.createElement('code');
  code.textContent = part.replace(/^[^\n]*\n/, '').replace(/\n$/, '');
  const pre = document.createElement('pre');
  pre.append(code);
  return pre;
}

function inline(part) {
  return part.split(/(`[^`\n]+`|\*\*[^*\n]+\*\*)/).map((piece) => {
    if (piece.length > 2 && piece.startsWith('`')) return named('code', piece.slice(1, -1));
    if (piece.length > 4 && piece.startsWith('**')) return named('strong', piece.slice(2, -2));
    return document.createTextNode(piece);
  });
}

function named(name, text) {
  const element = document.createElement(name);
  element.textContent = text;
  return element;
}
