// Seeking and following: by words, layers and takes. Works from a folder, without a server.
const player = document.querySelector("video, audio");
const words = [...document.querySelectorAll("[data-ms]")];
const lanes = document.querySelector(".lanes");
const lengthMs = Number(document.body.dataset.lengthMs);
const seek = (ms) => { if (player) { player.currentTime = ms / 1000; player.play().catch(() => {}); } };

for (const word of words) word.addEventListener("click", () => seek(Number(word.dataset.ms)));

for (const take of document.querySelectorAll(".takes button")) {
  take.addEventListener("click", () => {
    const at = player.currentTime, playing = !player.paused;
    player.src = take.dataset.src;
    player.addEventListener("loadedmetadata", () => { player.currentTime = at; if (playing) player.play().catch(() => {}); }, { once: true });
    for (const other of document.querySelectorAll(".takes button")) other.setAttribute("aria-pressed", String(other === take));
  });
}

for (const svg of document.querySelectorAll(".lane svg")) {
  svg.addEventListener("click", (event) => {
    const box = svg.getBoundingClientRect();
    seek(((event.clientX - box.left) / box.width) * lengthMs);
  });
}

const follow = () => {
  const ms = player.currentTime * 1000;
  for (const word of words) word.classList.toggle("spoken", Number(word.dataset.ms) <= ms && ms < Number(word.dataset.endMs));
  if (lanes) {
    const svg = lanes.querySelector("svg"), now = lanes.querySelector(".now");
    now.style.left = `${svg.getBoundingClientRect().left - lanes.getBoundingClientRect().left + svg.clientWidth * Math.min(1, ms / lengthMs)}px`;
  }
};
if (player) for (const event of ["timeupdate", "seeked", "play", "loadedmetadata"]) player.addEventListener(event, follow);
