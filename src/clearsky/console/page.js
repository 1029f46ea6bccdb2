import RFB from "./novnc/core/rfb.js";

const token = new URLSearchParams(location.search).get("token") || "";
const state = document.getElementById("state");
const scheme = location.protocol === "https:" ? "wss" : "ws";
const path = location.pathname.replace(/[^/]*$/, "");
const rfb = new RFB(
  document.getElementById("screen"),
  `${scheme}://${location.host}${path}socket?token=${encodeURIComponent(token)}`,
);
rfb.scaleViewport = true;
rfb.background = "#11151a";
rfb.addEventListener("connect", () => { state.textContent = "connected"; rfb.focus(); });
rfb.addEventListener("disconnect", (event) => {
  state.textContent = event.detail.clean ? "closed" : "closed: the token has expired, or the server is not running";
});
rfb.addEventListener("desktopname", (event) => { document.getElementById("name").textContent = event.detail.name; });
document.getElementById("cad").addEventListener("click", () => rfb.sendCtrlAltDel());
