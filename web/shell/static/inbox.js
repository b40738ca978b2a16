// Says on an open list what has come since it was shown. It learns how many and nothing else,
// writes text alone, and shows nothing by itself: the list moves when she asks for it. Without
// script, or without a line, "Refresh this list" does the same.
const live = document.querySelector("[data-live]");
if (live && "EventSource" in window) {
  const status = live.querySelector("[role=status]");
  const button = live.querySelector("button");
  const shown = live.dataset.shown;
  const say = (text) => { if (status.textContent !== text) status.textContent = text; };
  const offer = (text, where) => {
    button.textContent = text;
    button.dataset.where = where;
    button.hidden = false;
  };
  button.addEventListener("click", () => location.assign(button.dataset.where));

  let lost = false;
  const away = (why) => {
    lost = true;
    say(why + " This list is from " + shown + ". What comes now is not shown.");
  };
  const stream = new EventSource(live.dataset.live);
  stream.addEventListener("open", () => {
    if (lost) say("You are connected again. Refresh this list to see what has changed.");
    lost = false;
  });
  stream.addEventListener("error", () => {
    if (stream.readyState === EventSource.CLOSED) away("This page does not hear of new referrals any more.");
    else away(navigator.onLine ? "The hub cannot be reached. Trying again." : "You are offline.");
  });
  addEventListener("offline", () => away("You are offline."));
  stream.addEventListener("new", (event) => {
    const n = Number(event.data);
    const what = (n > 100 ? "More than 100" : String(n)) + (n === 1 ? " new referral" : " new referrals");
    say(what + (n === 1 ? " has come." : " have come."));
    offer("Show " + what.toLowerCase(), live.dataset.first);
  });
  stream.addEventListener("change", () => {
    if (button.hidden) {
      say("Something on your agency’s lists has changed.");
      offer("Show what has changed", live.dataset.here);
    }
  });
  stream.addEventListener("end", () => {
    stream.close();
    away("This page does not hear of new referrals any more.");
  });
  addEventListener("pagehide", () => stream.close());
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
}
