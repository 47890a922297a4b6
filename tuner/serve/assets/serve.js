"use strict";
(() => {
  // What is rendered on the server takes the place of what stood there; focus and marks stay.
  const put = (id, html) => {
    const place = document.getElementById(id);
    if (!place || place.last === html) return;
    place.last = html;
    const focused = place.contains(document.activeElement) ? document.activeElement : null;
    const same = focused && (focused.value ? `[value="${CSS.escape(focused.value)}"]` : focused.getAttribute("href") ? `[href="${CSS.escape(focused.getAttribute("href"))}"]` : focused.tagName);
    const marked = new Set([...place.querySelectorAll("input:checked")].map((each) => each.value));
    place.innerHTML = html;
    for (const each of place.querySelectorAll("input[type=checkbox]")) each.checked = marked.has(each.value);
    if (same) { const again = place.querySelector(same); if (again) again.focus({ preventScroll: true }); }
  };
  const main = document.getElementById("main");
  const link = document.getElementById("link");
  if (!main || !main.dataset.events || !link) return;
  const say = (text) => { if (link.textContent !== text) link.textContent = text; };
  const source = new EventSource(main.dataset.events);
  source.addEventListener("open", () => say("· live"));
  source.addEventListener("error", () => say(source.readyState === EventSource.CLOSED ? "· the server has ended: load the page again" : "· connecting again"));
  source.addEventListener("parts", (event) => {
    for (const [id, html] of Object.entries(JSON.parse(event.data))) put(id, html);
  });
  addEventListener("pagehide", () => source.close());
})();
