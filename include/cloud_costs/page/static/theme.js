// Light or dark, before the first paint. Inside Airflow the page follows Airflow's own switch, which is a class of its
// <html>; alone, it takes what Airflow keeps in the browser, and else what the system asks for.
(() => {
  const system = window.matchMedia("(prefers-color-scheme: dark)");

  function airflow() {
    try {
      return window.parent === window ? null : window.parent.document.documentElement;
    } catch {
      return null; // a frame of another origin
    }
  }

  function kept() {
    try {
      return window.localStorage.getItem("theme");
    } catch {
      return null; // a browser that keeps nothing
    }
  }

  function choose() {
    const names = airflow()?.classList;
    const known = ["dark", "light"].find((name) => names?.contains(name)) ?? kept();
    const theme = known === "dark" || known === "light" ? known : system.matches ? "dark" : "light";
    if (document.documentElement.dataset.theme !== theme) {
      document.documentElement.dataset.theme = theme;
      document.dispatchEvent(new Event("theme"));
    }
  }

  choose();
  system.addEventListener("change", choose);
  window.addEventListener("storage", choose);
  const outer = airflow();
  if (outer) {
    new MutationObserver(choose).observe(outer, { attributeFilter: ["class"] });
  }
})();
