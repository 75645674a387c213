// Takes a part of the log with its progress shown. Without script the button sends the form, and the
// browser shows its own.

for (const form of document.querySelectorAll("form[data-export]")) {
  const bar = form.querySelector("progress");
  const said = form.querySelector("output");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const [first, count] = ["first", "count"].map((name) => Number(form.elements[name].value));
    const button = form.querySelector("button");
    button.disabled = true;
    bar.hidden = false;
    bar.max = count;
    bar.value = 0;
    // One part after the other: each has its own checkpoint and can be checked by itself.
    const step = Number(form.dataset.step);
    for (let from = first; from < first + count; from += step) {
      const wanted = Math.min(step, first + count - from);
      const answer = await fetch(`${form.action}?first=${from}&count=${wanted}`, { credentials: "same-origin" });
      if (!answer.ok) {
        said.textContent = answer.status === 404 && from > first ? form.dataset.done : form.dataset.failed;
        break;
      }
      save(await answer.blob(), `log-${from}.jsonl`);
      bar.value = from - first + wanted;
      said.textContent = `${bar.value} / ${count}`;
    }
    if (bar.value === count) said.textContent = form.dataset.done;
    button.disabled = false;
  });
}

function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
