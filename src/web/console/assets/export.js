// Takes a part of the log with its progress shown, record by record as they arrive. Without script the
// button leads to a page that takes one file after the other, and shows how far that is.

for (const form of document.querySelectorAll("form[data-export]")) {
  const bar = form.querySelector("progress");
  const said = form.querySelector("output");
  const button = form.querySelector("button");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const [first, asked] = ["first", "count"].map((name) => Number(form.elements[name].value));
    const [step, size] = [form.dataset.step, form.dataset.size].map(Number);
    const count = first < size ? Math.min(asked, size - first) : asked;
    const show = (taken) => {
      bar.value = taken;
      said.textContent = `${number(taken)} / ${number(count)}`;
    };
    button.disabled = true;
    bar.hidden = false;
    bar.max = count;
    show(0);
    try {
      // One part after the other: each has its own checkpoint and can be checked by itself.
      for (let taken = 0; taken < count; taken += step) {
        const wanted = Math.min(step, count - taken);
        const query = new URLSearchParams({ first: first + taken, count: wanted });
        const answer = await fetch(`${form.dataset.part}?${query}`, { credentials: "same-origin" });
        if (!answer.ok) throw new Error(String(answer.status));
        const file = await read(answer, (records) => show(taken + records));
        save(file, `log-${first + taken}.jsonl`);
        show(taken + wanted);
      }
      said.textContent = `${number(count)} / ${number(count)} · ${form.dataset.done}`;
    } catch {
      // What was taken before is whole.
      said.textContent += ` · ${form.dataset.failed}`;
    } finally {
      button.disabled = false;
    }
  });
}

// Reads an answer, and tells how many records came so far: one on each line but the first.
async function read(answer, tell) {
  const reader = answer.body.getReader();
  const chunks = [];
  let lines = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return new Blob(chunks, { type: "application/jsonl" });
    chunks.push(value);
    for (const byte of value) if (byte === 10) lines += 1;
    tell(Math.max(0, lines - 1));
  }
}

function number(value) {
  return value.toLocaleString(document.documentElement.lang);
}

function save(file, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
