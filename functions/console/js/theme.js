// A classic script, loaded before the first paint: the page must not flash in the other theme.
document.documentElement.dataset.theme = localStorage.getItem("rushes.theme") ?? "auto";
