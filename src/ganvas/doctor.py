headline=lambda *a:""
remarks=lambda *a:[]
