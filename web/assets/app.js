// What makes the hub's pages easier where script runs. None of it is needed: every page
// works without. Nothing is made into markup, so the policy needs no Trusted Types.
import { createAll, Button, ErrorSummary, ExitThisPage, NotificationBanner, ServiceNavigation, SkipLink } from "govuk-frontend";

document.body.classList.add("js-enabled", "govuk-frontend-supported");
createAll(Button, { preventDoubleClick: true });
for (const component of [ErrorSummary, ExitThisPage, NotificationBanner, ServiceNavigation, SkipLink]) createAll(component);

// Hide now takes the whole page away at once, for somebody who looks over her shoulder. The
// page's content leaves the document, so that no other program on the screen can read it.
for (const button of document.querySelectorAll("[data-hide-now]")) {
  button.hidden = false;
  button.addEventListener("click", () => {
    const curtain = document.createElement("div");
    curtain.className = "handover-curtain";
    const back = document.createElement("a");
    back.className = "govuk-link";
    back.href = location.pathname;
    back.textContent = "Show the page again";
    curtain.append(back);
    document.title = "Handover";
    document.body.replaceChildren(curtain);
    back.focus();
  });
}

for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => print());
}

// A minute before the session ends for want of use the page says so, and blanks itself when
// it has: what was opened must not stay on a screen that nobody watches (WCAG 2.2.1).
const idle = Number(document.body.dataset.idle);
if (idle > 0) {
  const dialog = document.querySelector("#session-ends");
  let ends = Date.now() + idle * 1000;
  let asking;
  // From a page that she may see it goes where Exit this page goes: she may be the one who has the phone.
  const leave = () => location.replace("leave" in document.body.dataset ? "/leave" : "/sign-in?next=" + encodeURIComponent(location.pathname));
  const look = () => {
    const left = ends - Date.now();
    if (left <= 0) return leave();
    if (left <= 120_000 && dialog?.isConnected && !dialog.open) dialog.showModal();
  };
  dialog?.querySelector("button")?.addEventListener("click", async () => {
    if (asking) return;
    asking = fetch("/session", { method: "POST", credentials: "same-origin", redirect: "error", cache: "no-store" }).catch(() => ({ ok: false }));
    const answer = await asking;
    asking = undefined;
    if (!answer.ok) return leave();
    ends = Date.now() + idle * 1000;
    dialog.close();
  });
  setInterval(look, 5_000);
  addEventListener("pageshow", look);
  addEventListener("visibilitychange", look);
}
