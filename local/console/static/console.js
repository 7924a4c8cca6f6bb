// Opens the dialog with the outcome of an action, and says when the local cloud does not answer.
const outcome = document.getElementById("outcome");
let isChanged = false;

document.body.addEventListener("htmx:afterSettle", (event) => {
  if (event.detail.target?.id !== "outcome-content") return;
  isChanged ||= new URLSearchParams(event.detail.requestConfig.formData).has("yes");
  if (!outcome.open) outcome.showModal();
  for (const output of outcome.querySelectorAll(".output")) output.scrollTop = output.scrollHeight;
});

outcome.addEventListener("click", (event) => {
  if (event.target.hasAttribute("data-close")) outcome.close();
});

// What an action has changed is shown by a new rendering of the page.
outcome.addEventListener("close", () => { if (isChanged) location.reload(); });

const connection = document.getElementById("connection");
document.body.addEventListener("htmx:sseError", () => { connection.hidden = false; });
document.body.addEventListener("htmx:sseOpen", () => { connection.hidden = true; });
document.body.addEventListener("htmx:responseError", (event) => {
  connection.textContent = `The request failed: ${event.detail.xhr.status}`;
  connection.hidden = false;
});
