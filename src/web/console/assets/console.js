// What the console does beyond plain pages. Nothing here is needed for a page to work.

// A button that copies the text of the element it names.
for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const text = document.getElementById(button.dataset.copy)?.textContent ?? "";
    await navigator.clipboard.writeText(text);
    button.textContent = button.dataset.done;
  });
}

// A form is sent once, however often its button is pressed.
for (const form of document.querySelectorAll("form[method=post]")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
  });
}
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
  for (const button of document.querySelectorAll("button[aria-busy]")) button.removeAttribute("aria-busy");
});

// Until the answer is there, the button that was pressed says that it is on its way; a form that a
// module sends by itself says so itself.
document.addEventListener("submit", ({ submitter, defaultPrevented }) => {
  if (!defaultPrevented) submitter?.setAttribute("aria-busy", "true");
});

// A menu closes on Escape and when something else is used.
for (const menu of document.querySelectorAll("details.menu")) {
  document.addEventListener("click", (event) => {
    if (!menu.contains(event.target)) menu.open = false;
  });
  menu.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  });
}

// What was wrong is read first.
document.getElementById("faults")?.focus();

// A form that is checked while it is written: the gateway says what is wrong and what it would come to.
for (const form of document.querySelectorAll("form[data-check]")) {
  let waiting, asked = 0;
  const touched = new Set();
  const show = ({ faults, foresight }) => {
    for (const place of form.querySelectorAll("[data-fault]")) {
      const name = place.dataset.fault;
      const inputs = [...touched].filter((input) => input === name || input.startsWith(`${name}/`));
      const at = Object.keys(faults).find((key) => key === name || (key.startsWith(`${name}/`) && /[0-9]$/.test(name)));
      place.hidden = !(at && inputs.length);
      place.textContent = at ? faults[at] : "";
    }
    const list = document.getElementById("foresight");
    if (foresight.length) {
      list.replaceChildren(...foresight.map((line) => {
        const item = document.createElement("li");
        item.textContent = line;
        return item;
      }));
    }
  };
  const check = async () => {
    const turn = ++asked;
    const answer = await fetch(form.dataset.check, { method: "POST", body: new URLSearchParams(new FormData(form)) });
    if (answer.ok && turn === asked) show(await answer.json());
  };
  form.addEventListener("input", (event) => {
    touched.add(event.target.name);
    clearTimeout(waiting);
    waiting = setTimeout(check, 400);
  });
}

// A reason brings the law that it mostly rests on, as long as nobody has written another.
for (const select of document.querySelectorAll("select[data-fills]")) {
  const area = document.getElementById(select.dataset.fills);
  let brought = "";
  const bring = () => {
    if (area.value !== brought) return;
    brought = select.selectedOptions[0]?.dataset.text ?? "";
    area.value = brought;
  };
  select.addEventListener("change", bring);
  bring();
}
