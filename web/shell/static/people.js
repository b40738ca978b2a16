// What needs the browser's passkeys. Everything else on these pages works without script.
// Text goes into the page as text only; there is no markup from anywhere.

const byId = (id) => document.getElementById(id);

// Problem is a refusal of the hub, or of the browser, in a sentence for her.
class Problem extends Error {
  constructor(text, code) { super(text); this.code = code; }
}

// post sends a body to one of the hub's own addresses and returns what it answers.
async function post(path, body) {
  let answer;
  try {
    answer = await fetch(path, {
      method: "POST", credentials: "same-origin", redirect: "error", cache: "no-store",
      headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
    });
  } catch {
    throw new Problem("The hub cannot be reached. Check your connection and try again.");
  }
  const said = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Problem(said.title || "Something went wrong. Try again.", said.code);
  return said;
}

// Only what the hub verifies leaves the browser. Above all no clientExtensionResults: the
// result of the extension prf is a key.
function forHub(credential) {
  const { id, type, response } = credential.toJSON();
  if (response.attestationObject !== undefined) {
    const { clientDataJSON, attestationObject, transports } = response;
    return { id, type, response: { clientDataJSON, attestationObject, transports: transports || [] } };
  }
  const { clientDataJSON, authenticatorData, signature, userHandle } = response;
  const kept = { clientDataJSON, authenticatorData, signature };
  if (userHandle) kept.userHandle = userHandle;
  return { id, type, response: kept };
}

// inWords says what a browser's own refusal means.
function inWords(error) {
  if (error instanceof Problem) return error.message;
  switch (error.name) {
    case "NotAllowedError":
      return "Nothing was done. You may have cancelled, or this device has no passkey for Handover. Try again.";
    case "InvalidStateError":
      return "This device has a passkey for you already. There is nothing more to set up on it.";
    case "NotSupportedError":
      return "This device cannot make the kind of passkey that is needed. Set a screen lock, or use another device.";
    case "SecurityError":
      return "Passkeys do not work at this address. Check that you opened the right page.";
  }
  return "Something went wrong. Try again.";
}

// tell shows a problem, and takes her there.
function tell(error) {
  const box = byId("problem");
  box.querySelector("p").textContent = inWords(error);
  box.hidden = false;
  if (!document.title.startsWith("Error: ")) document.title = "Error: " + document.title;
  box.focus();
}

// doing runs an act for a button: once at a time, with its problem told.
function doing(button, act) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    button.disabled = true;
    byId("problem").hidden = true;
    try {
      await act();
    } catch (error) {
      tell(error);
    } finally {
      button.disabled = false;
    }
  });
}

// go opens the page that the hub named; its own pages are the only ones that it names.
function go(said) {
  if (typeof said.location !== "string" || !/^\/(?![/\\])/.test(said.location)) throw new Problem("Something went wrong. Try again.");
  location.assign(said.location);
}

const able = () => typeof PublicKeyCredential === "function" &&
  typeof PublicKeyCredential.parseCreationOptionsFromJSON === "function" &&
  typeof PublicKeyCredential.prototype.toJSON === "function";

const asJSON = (options) => PublicKeyCredential.parseRequestOptionsFromJSON(options);

async function assert(path, next) {
  const { options } = await post(path + "/options", {});
  const credential = await navigator.credentials.get({ publicKey: asJSON(options) });
  go(await post(path, { credential: forHub(credential), next }));
}

async function create(options) {
  return forHub(await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options) }));
}

// The options of a link are asked for when the page opens, so that she sees whose link it
// is; they are good for five minutes, and for one try.
async function join() {
  // The code leaves the address at once: not for the history, nor for who looks on.
  const code = decodeURIComponent(location.hash.slice(1));
  history.replaceState(null, "", location.pathname);
  if (code === "") throw new Problem("The link is not complete. Open it again from the message you were sent, or ask for a new one.");
  byId("join-wait").hidden = false;
  let asked, at;
  const ask = async () => { asked = await post("/sign-in/join/options", { code }); at = Date.now(); };
  try {
    await ask();
  } finally {
    byId("join-wait").hidden = true;
  }
  byId("join-name").textContent = asked.joining.name;
  byId("join-agency").textContent = asked.joining.agency;
  byId("join-recovers").hidden = !asked.joining.recovers;
  byId("join").hidden = false;
  doing(byId("join-make"), async () => {
    if (!asked || Date.now() - at > 240000) await ask();
    const { options } = asked;
    asked = null;
    go(await post("/sign-in/join", { code, credential: await create(options) }));
  });
}

function start() {
  const signIn = byId("sign-in"), stepUp = byId("step-up"), add = byId("add-passkey");
  if (!able() && (signIn || stepUp || add || byId("join"))) {
    throw new Problem("This browser is too old for passkeys. Update it, or use another one.");
  }
  if (signIn) doing(signIn, () => assert("/sign-in/passkey", signIn.dataset.next));
  if (stepUp) doing(stepUp, () => assert("/sign-in/step-up", stepUp.dataset.next));
  if (add) {
    doing(add, async () => {
      const { options } = await post("/sign-in/passkeys/options", {}).catch((error) => {
        if (error.code === "step-up-required") location.assign("/step-up?next=/account");
        throw error;
      });
      go(await post("/sign-in/passkeys", { credential: await create(options) }));
    });
  }
  if (byId("join")) return join();
}

try {
  await start();
} catch (error) {
  tell(error);
}
