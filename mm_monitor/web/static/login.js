// The words of the page that asks for a token; the form itself works without them.
import { t } from "./words.js";

document.querySelector("label").textContent = t("token");
document.querySelector("button").textContent = t("sign_in");
document.getElementById("help").textContent = t("login_help");
document.title = `${t("login_title")} · mm-monitor`;
if (location.search === "?wrong") {
  const wrong = document.getElementById("wrong");
  wrong.textContent = t("login_wrong");
  wrong.hidden = false;
}
